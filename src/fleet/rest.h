#pragma once

#include "cell/cell.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace skerry::fleet {

/// Lets a loop that reads every site rest between two turns, the longer the more sites there are: when a hundred thousand return
/// at once, their news cost turns by time and not one for each. A small fleet does not notice.
class Rest {
public:
    Rest(cell::Cell& cell, std::string loop) : cell_(cell), loop_(std::move(loop)) {}

    /// False: not yet, and the loop is woken when it is. True: a turn begins.
    bool is_over() {
        Duration rest = length();
        Instant now = cell_.env().clock.now();
        if (last_ && now < *last_ + rest) {
            if (!std::exchange(armed_, true))
                timer_ = cell_.env().timers.after(*last_ + rest - now, [this] {
                    armed_ = false;
                    cell_.wake(loop_);
                });
            return false;
        }
        last_ = now;
        return true;
    }

    /// Of a loop that also turns when nothing has woken it: of what nobody told it there is little, and in a large fleet it costs the
    /// same. Ten times as long, and `least` at least.
    Duration period(Duration least) const { return std::max(least, 10 * length()); }

private:
    Duration length() const {
        std::size_t sites = cell_.store().count(model::Kind::site);
        return sites < few ? Duration(0) : static_cast<std::int64_t>(sites) * per_site;
    }

    static constexpr std::size_t few = 100;
    static constexpr Duration per_site = 50us; ///< many times what a turn takes for a site

    cell::Cell& cell_;
    std::string loop_;
    std::optional<Instant> last_;
    bool armed_ = false;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::fleet
