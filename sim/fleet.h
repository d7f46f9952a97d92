#pragma once

#include "env/seeded_chance.h"
#include "fleet/fleet.h"
#include "sim/agenda.h"
#include "sim/checks/checks.h"
#include "sim/checks/ledger.h"
#include "sim/operators.h"
#include "sim/site_people.h"
#include "sim/weather.h"
#include "sim/world/computer.h"
#include "sim/world/network.h"
#include "sim/world/process.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::sim {

struct SiteShape {
    std::string name;
    std::map<std::string, std::string> labels;
    Cell region = 0;      ///< whose site it is; 0: the core's
    bool divides = false; ///< it is a region itself, without any computer that runs instances
    std::size_t more_nodes = 0;
    std::string profile = "dsl";
    PathOptions uplink;
    MilliCpu cpu{4000}; ///< of each of its computers
    Bytes memory{4LL << 30};
};

/// A core, sites, further nodes, and everything that happens to them: one run of one scenario from one seed.
class Fleet {
public:
    explicit Fleet(std::uint64_t seed);
    ~Fleet();

    // Making.
    Cell add_site(const SiteShape&);
    /// Power on, everywhere.
    void start_all();

    // The parts.
    Agenda& agenda() { return agenda_; }
    const Agenda& agenda() const { return agenda_; }
    Network& network() { return network_; }
    Ledger& ledger() { return ledger_; }
    Operators& operators() { return operators_; }
    std::uint64_t seed() const { return seed_; }
    SitePeople& site_people() { return site_people_; }
    env::Chance& chance() { return chance_; }
    Computer& computer(Cell cell) { return *computers_.at(cell); }
    const std::vector<std::unique_ptr<Computer>>& computers() const { return computers_; } ///< [0] is null
    Computer& core() { return computer(1); }
    /// Places where instances run: no regions.
    std::vector<Cell> sites() const;
    /// What selectors are held against there: its own labels over those of its region.
    std::map<std::string, std::string> labels_of(Cell site) const;
    std::vector<Cell> children(Cell) const;
    bool has_children(Cell cell) const { return !children(cell).empty(); }
    /// The computer of that name; null: none.
    Computer* find(const std::string& name);
    fleet::SiteWish wish_of(Cell site) const;

    // What happens. All at the top of an event or between events, never from within a cell.
    void start(Cell);
    /// kill -9.
    void kill(Cell);
    void power_off(Cell);
    void power_on(Cell);
    /// Off, and on again after a while.
    void reboot(Cell, Duration off);
    /// Its process stands still, what it runs runs on (SIGSTOP, SIGCONT).
    void stop(Cell);
    void go_on(Cell);
    /// All of it stands still, as a virtual machine that its host suspends; its boot-time clock counts on or stands too.
    enum class Clocks : std::uint8_t { count, stand };
    void freeze(Cell, Clocks);
    void thaw(Cell);
    void cut(Cell child);
    /// In one direction only.
    void cut(Cell child, Way);
    void heal(Cell child);
    /// A full disk has room again.
    void make_room(Cell);
    /// It has recovered from an old backup.
    void recovered(Computer&);
    /// An old image of its disk is put back while the process is down; everything else stays as it is. It starts again.
    void restore(Cell, const Disk::Backup&);
    /// All stores are kept by the SQLite backend; before the start.
    void use_files();
    /// The process found that its disk is dead: it ends and is started again.
    void fell_over(Cell);
    void joined(Cell);
    void changed(Computer&, const store::Change&);
    /// Something may have started there.
    void touched(Computer&);
    /// Bytes of images came to that site.
    void took_images(Computer& site, std::uint64_t bytes) { checks_.took_images(site, bytes); }

    /// Lets time pass. Returns at once after a violation.
    void pass(Duration);
    Duration now() const { return agenda_.now(); }
    /// An event of weather, for the record.
    void happens(const HazardEvent& event) {
        if (report_events) report_events(event);
    }
    /// A line of the story, printed with -v and after a failure.
    void tell(std::string line);

    // Judgement.
    void violate(std::string_view check, std::string message);
    bool violated() const { return violation_.has_value(); }
    struct Violation {
        std::string check, message;
        Duration when{};
    };
    const std::optional<Violation>& violation() const { return violation_; }
    const std::vector<std::string>& story() const { return story_; }
    /// Heals everything and asks for convergence within `limit`.
    void converge(Duration limit);

    std::function<void(const HazardEvent&)> report_events; ///< null: nobody asks
    Duration audit_period = 1s;
    bool verbose = false;
    bool clocks_are_right = false;      ///< nothing that happens makes a wall clock wrong
    bool probes_believe_clocks = false; ///< planted: what a wall clock that is set makes look late is called ill
    /// A wall clock is set: its error from now on.
    void set_wall(Cell, std::int64_t error_seconds);
    bool cut_kills = false;         ///< planted: what runs at a site dies when its link is cut, and the driver says it runs
    bool files_are_whole = false;   ///< planted: a courier file with a base is taken for everything
    bool newer_core = false;        ///< its build knows one more field, and people use it
    bool people_look_again = false; ///< after a disk was put back, and do again what is lost with it
    bool heal_forgets = false;      ///< planted: after a heal the driver says that what runs is lost

private:
    /// As a join does, of which a region has a note in its parent's store.
    void seat(const Computer& region);
    Cell add(env::Peer::Role, const std::string& name, Cell parent);
    void audit();
    /// What the leash of that computer does, in time (rule F3).
    void set_leash(Cell);
    void tug(Cell, std::uint64_t turn);

    std::uint64_t seed_;
    Agenda agenda_;
    env::SeededChance chance_;
    Network network_;
    std::vector<std::unique_ptr<Computer>> computers_;
    std::vector<SiteShape> shapes_; ///< by cell
    Ledger ledger_;
    Checks checks_;
    Operators operators_;
    SitePeople site_people_;
    std::optional<Violation> violation_;
    std::vector<std::string> story_;
};

} // namespace skerry::sim
