// The part of BridgeNetwork that notices what others took away.

#include "drivers/network/bridge_network.h"
#include "os/files.h"
#include "os/netns.h"
#include "os/nft.h"

#include <algorithm>
#include <fmt/format.h>

namespace skerry::drivers::network {

Result<std::vector<std::string>> BridgeNetwork::repair() {
    std::vector<std::string> made;
    if (!book_ || !shared_ready_) return made; // nobody has asked for anything yet
    if (TRY(mend_bridge())) made.push_back("bridge " + names_.bridge());
    os::Rtnl here = TRY(os::Rtnl::open());
    const int bridge = TRY(here.link(names_.bridge())).index;
    const auto links = TRY(here.links());
    for (const auto& [instance, entry] : book_->entries()) {
        auto outer = std::ranges::find(links, names_.veth(entry.address), &os::Link::name);
        bool well = outer != links.end() && outer->up && outer->master == bridge;
        // What never had a namespace, or has none any more, has nothing to be linked to.
        if (well || !TRY(os::is_netns(netns(instance)))) continue;
        TRY_VOID(wire(instance, entry) | during("network of instance " + instance));
        made.push_back(
            fmt::format("link {} of {}", names_.veth(entry.address), entry.hostname.empty() ? instance : entry.hostname));
    }
    if (TRY(mend_forwarding())) made.push_back("forwarding (net.ipv4.ip_forward)");
    if (TRY(mend_rules())) made.push_back("rules (table ip " + names_.table() + ")");
    return made;
}

Result<bool> BridgeNetwork::mend_bridge() {
    os::Rtnl here = TRY(os::Rtnl::open());
    auto bridge = here.link(names_.bridge());
    if (!bridge && bridge.error().code != Code::not_found) return std::unexpected(bridge.error());
    bool well = bridge && bridge->up;
    if (well)
        well = std::ranges::any_of(TRY(here.addresses()), [&](const os::LinkAddress& one) {
            return one.link == bridge->index && one.address == book_->gateway() && one.bits == book_->subnet()->bits;
        });
    if (!well) TRY_VOID(ensure_bridge());
    return !well;
}

Result<bool> BridgeNetwork::mend_forwarding() {
    if (TRY(os::read_file("/proc/sys/net/ipv4/ip_forward", 16)).starts_with("1")) return false;
    TRY_VOID(ensure_bridge());
    return true;
}

/// The number of the rules tells whether anybody changed any; only then are ours looked at.
Result<bool> BridgeNetwork::mend_rules() {
    auto now = os::nft_generation();
    if (now && *now == generation_) return false;
    auto list = [&]() -> Result<std::string> {
        auto items = os::list_nft({"table", "ip", names_.table()});
        if (!items && items.error().code == Code::not_found) return std::string();
        if (!items) return std::unexpected(items.error());
        std::string text;
        for (const Json& item : *items) text += write_json(item) + "\n";
        return text;
    };
    std::string found = TRY(list());
    const bool lost = found.empty() || (!listed_.empty() && found != listed_);
    if (lost) {
        TRY_VOID(apply_rules(*book_, true));
        found = TRY(list());
    } else {
        TRY_VOID(open_foreign_chains(Opening::wanted, TRY(os::list_nft({"chains"}))));
    }
    // Of before the look: a change beside it is seen next time.
    if (now && !lost) generation_ = *now;
    listed_ = std::move(found);
    return lost;
}

} // namespace skerry::drivers::network
