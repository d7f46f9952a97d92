#pragma once

#include "env/env.h"
#include "sim/agenda.h"
#include "sim/operators.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace skerry::sim {

class Fleet;

/// People at sites, in touch or cut off: they write into the site's own cell. Apps of the site (rule W1), and edits of Apps that
/// are decided at the core, which become Overrides (rule W2). What was acknowledged is written down.
class SitePeople {
public:
    explicit SitePeople(Fleet& fleet) : fleet_(fleet) {}

    /// An App of the site's own, made or changed. Repeated until acknowledged.
    void apply(Cell site, const AppWish&);
    void remove(Cell site, const std::string& name);
    /// Another marker for an App of the core's, at this site. Nothing happens where the site has no such App.
    void mark(Cell site, const std::string& app, std::uint32_t marker);
    void drop(Cell site, const std::string& app);
    /// What is wanted at this site is asked for again, and what is not wanted and there is removed.
    void look_again(Cell site);
    /// One thing that people do.
    void do_something(Cell site, env::Chance&);
    bool busy() const { return !busy_.empty(); }
    /// The core decides about it: from here on it is not the site's to keep.
    void let_go(Cell site, const std::string& app) { marks_.erase({site, app}); }

    struct Own {
        AppWish wish;
        std::optional<Operators::Acknowledged> acknowledged;
    };
    const std::map<std::pair<Cell, std::string>, Own>& apps() const { return apps_; }
    /// An App of that name was made at a site, and may be gone since.
    bool ever_made(const std::string& name) const { return names_.contains(name); }
    /// An App of a site's own, whichever site's.
    const AppWish* find(const std::string& name) const;

    struct Mark {
        std::uint32_t marker = 0;
        std::string override_name, uid;
        std::uint32_t generation = 0;
        std::string app_uid; ///< of what it is about: an App of that name that is made anew is another one (rule W2)
    };
    /// Acknowledged ones.
    const std::map<std::pair<Cell, std::string>, Mark>& marks() const { return marks_; }
    /// Of instances of this app at this site: what the site says, where it says something.
    std::optional<std::uint32_t> marker_at(Cell site, const std::string& app) const;

    /// What was acknowledged and is not in the site's store; empty: nothing.
    std::string missing(Cell site) const;

private:
    using Subject = std::pair<Cell, std::string>;
    /// Asks the cell of the site again and again, until `ask` calls what it is given.
    void until_answered(const Subject&, std::uint64_t ticket, std::function<void(std::function<void()> done)> ask);
    std::uint64_t begin(const Subject& subject) { return busy_[subject] = ++tickets_; }
    void edit(Cell site, const std::string& app, std::optional<std::uint32_t> marker, std::function<void()> done);

    Fleet& fleet_;
    std::map<Subject, Own> apps_;
    std::set<std::string> names_;
    std::map<Subject, Mark> marks_;
    std::map<Subject, std::uint64_t> busy_;
    std::uint64_t tickets_ = 0;
    std::uint32_t made_ = 0;
};

} // namespace skerry::sim
