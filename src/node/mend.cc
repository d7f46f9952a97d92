#include "node/node_loop.h"

#include "base/log.h"

#include <algorithm>
#include <utility>

/// What others take of the network while instances run.
namespace skerry::node {

/// Others flush rules and remove links; what runs goes on, and has its network back soon.
void NodeLoop::mend_later() {
    if (options_.mend_period == Duration(0)) return;
    mending_ = cell_.env().timers.after(options_.mend_period, [this] { mend_now(); });
}

void NodeLoop::mend_now() {
    if (options_.mend_period == Duration(0) || !network_adopted_ || mends_) return;
    mends_ = true;
    mending_.reset();
    auto outcome = std::make_shared<Result<std::vector<std::string>>>();
    cell_.env().workers.run(
        "network", [network = options_.network, outcome] { *outcome = network->repair(); },
        [this, weak = std::weak_ptr(alive_), outcome] {
            if (weak.expired()) return;
            mends_ = false;
            mend_later();
            mended(*outcome);
        });
}

void NodeLoop::mended(const Result<std::vector<std::string>>& outcome) {
    bool waited = std::ranges::any_of(runs_, [](const auto& one) { return one.second.health.failures > 0; });
    std::string trouble = outcome ? "" : outcome.error().message;
    bool is_news = std::exchange(mend_trouble_, trouble) != trouble;
    auto node = cell_.store().get({model::Kind::node, "", options_.name});
    if (!trouble.empty() && is_news) {
        log(Level::warning, "node", "network: {}", trouble);
        if (node) cell_.events().record(*node, cell::Tone::warning, "NetworkBroken", trouble);
    }
    if (outcome && !outcome->empty()) {
        std::string made;
        for (const auto& one : *outcome) made += (made.empty() ? "" : ", ") + one;
        log(Level::warning, "node", "network: made anew: {}", made);
        if (node)
            cell_.events().record(*node, cell::Tone::warning, "NetworkRepaired",
                                  "something else took away and it was made anew: " + made + "; nothing was restarted");
        // What could not be reached meanwhile was not at fault.
        for (auto& [uid, run] : runs_)
            if (run.health.failures > 0) run.health.failures = 0, run.health.next = {};
    }
    if (waited) wake();
}

} // namespace skerry::node
