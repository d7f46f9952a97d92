#pragma once

#include "drivers/driver.h"
#include "model/allocation.pb.h"
#include "sim/world/computer.h"
#include "store/store.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::sim {

class Fleet;

/// What must hold at every moment. Each has a name, and a planted bug of the same name that proves it can fail. Those on restarts
/// are in `ledger.h`, `converged` in `convergence.h`.
class Checks {
public:
    explicit Checks(Fleet& fleet) : fleet_(fleet) {}

    static const std::vector<std::string_view>& names();

    /// A store was opened again, or something in it changed.
    void opened(Computer&);
    void changed(Computer&, const store::Change&);
    /// An old backup was put back: what its store says of itself begins anew. What people were told is there again when it has
    /// recovered (rule H3).
    void went_back(Computer&);
    void cut(Cell site);
    void healed(Cell site) { kept_.erase(site); }
    void before_reboot(Computer&);
    /// Something may have started there.
    void started(Computer&);
    /// At one end of the link of a site: a message that it sends, or that arrives there.
    void crossed(Cell site, int side, bool sent, const std::string& message);
    void took_images(Computer& site, std::uint64_t bytes);
    /// Every once in a while.
    void audit();

private:
    void generation(Computer&, const store::Object&);
    void replaced(Computer& site, const store::Object& instance);
    void unknown_kept(Computer&, const store::Object& revision);
    void acknowledged_is_there();
    void acknowledged_at(Cell site);
    void cut_sites_run();
    void boots_alone();
    void capacity(Computer& site);
    void stamp(Computer&, const store::Object&);
    void clocks();
    void queues();
    void at_most_once();
    void epochs(Computer& site, const store::Object& allocation);
    void terms();
    void recovered();

    /// What one end of a link saw of a day, as its clock has it, in messages and not by its own count.
    struct Day {
        std::int64_t day = -1;
        Duration began{};
        std::uint64_t bytes = 0;
        std::uint64_t budget = 0; ///< the largest that this end knew of in the day; 0: there was none
        bool unbounded = false;   ///< at some moment of the day
    };
    Day* day_of(Cell site, int side);

    Fleet& fleet_;
    std::map<std::pair<Cell, int>, Day> days_;
    std::map<std::pair<Cell, Uid>, std::uint32_t> generations_;
    /// By cut-off site: what ran when it was cut off, with its computer and pid.
    struct Kept {
        Cell cell;
        drivers::InstanceName name;
        std::optional<Duration> missing;
    };
    std::map<Cell, std::vector<Kept>> kept_;
    struct Boot {
        std::set<drivers::InstanceName> ran;
        std::optional<Duration> started;
    };
    std::map<Cell, Boot> boots_;
    std::map<std::pair<Cell, Uid>, model::Epoch> epochs_; ///< highest that a site acted on
    std::map<Cell, std::uint32_t> terms_;
    /// Those whose disk was put back, until they have recovered.
    struct WentBack {
        std::uint32_t term = 0; ///< the highest that it showed before
        bool recovers = false;  ///< it has noticed
    };
    std::map<Cell, WentBack> went_back_;
    std::map<Cell, Duration> confirmed_; ///< since when its wall clock was seen to be confirmed
};

} // namespace skerry::sim
