// The part of BridgeNetwork that makes sure of links, addresses and namespaces.

#include "base/log.h"
#include "drivers/network/bridge_network.h"
#include "drivers/network/nameservers.h"
#include "os/files.h"
#include "os/netns.h"

#include <algorithm>

namespace skerry::drivers::network {
namespace {

/// From the address, so that it stays the same and neighbours' caches stay right. 02: locally administered.
os::MacAddress mac_of(os::Ipv4 address) {
    auto part = [&](int shift) { return static_cast<std::uint8_t>(address.number >> shift); };
    return {0x02, 0x53, part(24), part(16), part(8), part(0)};
}

Result<void> set_kernel_value(const std::string& path, const std::string& value) {
    std::string found = TRY(os::read_file(path));
    while (found.ends_with('\n')) found.pop_back();
    return found == value ? Result<void>{} : os::write_file(path, value);
}

/// The MTU of the link that the default route leaves by, where it is smaller than that of a new veth; 0 otherwise.
Result<unsigned> narrow_mtu(os::Rtnl& here) {
    for (const auto& route : TRY(here.routes())) {
        if (route.destination.bits != 0 || route.link == 0) continue;
        for (const auto& link : TRY(here.links()))
            if (link.index == route.link && link.mtu >= 576 && link.mtu < 1500) return link.mtu;
    }
    return 0;
}

} // namespace

Result<void> BridgeNetwork::recover_addresses(const std::vector<InstanceName>& live) {
    AddressBook book = *book_;
    if (!book.subnet() && !live.empty()) {
        os::Rtnl here = TRY(os::Rtnl::open());
        auto bridge = here.link(names_.bridge());
        if (!bridge) return {};
        for (const auto& one : TRY(here.addresses()))
            if (one.link == bridge->index && one.bits <= 28)
                book.move_to({{one.address.number & os::Subnet{{}, one.bits}.mask()}, one.bits});
    }
    for (const auto& instance : live) {
        if (book.find(instance)) continue;
        os::Rtnl there = TRY(os::Rtnl::open_in(netns(instance)));
        for (const auto& one : TRY(there.addresses()))
            if (one.address.number >> 24 != 127) book.remember(instance, one.address);
    }
    return save(book);
}

Result<void> BridgeNetwork::settle_subnet(bool anyone_lives) {
    if (book_->subnet() && anyone_lives) return {};
    os::Rtnl here = TRY(os::Rtnl::open());
    auto bridge = here.link(names_.bridge());
    int ours = bridge ? bridge->index : -1;
    std::vector<os::Subnet> taken;
    for (const auto& route : TRY(here.routes()))
        if (route.destination.bits > 0 && route.link != ours) taken.push_back(route.destination);
    for (const auto& one : TRY(here.addresses()))
        if (one.link != ours) taken.push_back({{one.address.number & os::Subnet{{}, one.bits}.mask()}, one.bits});
    for (const auto& server : nameservers_of(options_.resolv_files))
        if (auto address = os::parse_ipv4(server)) taken.push_back({*address, 32});
    auto clashes = [&](const os::Subnet& subnet) {
        return std::ranges::any_of(taken, [&](const os::Subnet& other) { return subnet.overlaps(other); });
    };
    if (book_->subnet() && !clashes(*book_->subnet())) return {};
    os::Subnet chosen = TRY(choose_subnet(candidates_, taken));
    if (book_->subnet())
        log(Level::warning, "network", "{} now overlaps a route of this machine; instances move to {}",
            os::text(*book_->subnet()), os::text(chosen));
    if (bridge && bridge->kind == "bridge") TRY_VOID(here.remove_link(names_.bridge()));
    AddressBook moved = *book_;
    moved.move_to(chosen);
    return save(moved);
}

Result<void> BridgeNetwork::ensure_shared(bool anyone_lives) {
    TRY_VOID(settle_subnet(anyone_lives));
    TRY_VOID(ensure_bridge());
    TRY_VOID(os::mkdirs(netns_folder(), 0755));
    shared_ready_ = true;
    // In force before the first instance, so that even one without published ports gets out.
    return apply_rules(*book_, true);
}

Result<void> BridgeNetwork::ensure_bridge() {
    os::Rtnl here = TRY(os::Rtnl::open());
    const std::string name = names_.bridge();
    auto bridge = here.link(name);
    if (!bridge) {
        if (bridge.error().code != Code::not_found) return std::unexpected(bridge.error());
        TRY_VOID(step("bridge"));
        TRY_VOID(here.add_bridge(name, mac_of(book_->gateway())));
        bridge = here.link(name);
        if (!bridge) return std::unexpected(bridge.error());
    }
    if (bridge->kind != "bridge")
        return fail(Code::exists, "network: there is a link " + name + " that is no bridge; remove it (ip link del " + name +
                                      ") or choose another prefix");
    bool addressed = false;
    for (const auto& one : TRY(here.addresses())) {
        if (one.link != bridge->index) continue;
        bool right = one.address == book_->gateway() && one.bits == book_->subnet()->bits;
        addressed = addressed || right;
        if (!right) TRY_VOID(here.remove_address(name, one.address, one.bits));
    }
    if (!addressed) {
        TRY_VOID(step("bridge address"));
        TRY_VOID(here.add_address(name, book_->gateway(), book_->subnet()->bits));
    }
    if (!bridge->up) TRY_VOID(here.set_up(name));
    TRY_VOID(step("forwarding"));
    TRY_VOID(set_kernel_value("/proc/sys/net/ipv4/ip_forward", "1"));
    // Lets what was sent to a published port of 127.0.0.1 leave by the bridge; the guard chain keeps instances out of
    // 127.0.0.0/8.
    return set_kernel_value("/proc/sys/net/ipv4/conf/" + name + "/route_localnet", "1");
}

Result<void> BridgeNetwork::wire(const InstanceName& instance, const Entry& entry) {
    os::Rtnl here = TRY(os::Rtnl::open());
    os::Rtnl there = TRY(os::Rtnl::open_in(netns(instance)));
    const std::string veth = names_.veth(entry.address);
    auto outer = here.link(veth);
    auto inner = there.link("eth0");
    // The other end may be another namespace's, left by a crash.
    bool paired = outer && inner && outer->peer == inner->index && inner->peer == outer->index;
    if (!paired) {
        TRY_VOID(step("link"));
        TRY_VOID(here.remove_link(veth));
        TRY_VOID(there.remove_link("eth0"));
        TRY_VOID(here.add_veth(veth, names_.bridge(), {.netns = netns(instance), .name = "eth0", .mac = mac_of(entry.address)},
                               TRY(narrow_mtu(here))));
    } else {
        if (outer->master != TRY(here.link(names_.bridge())).index) TRY_VOID(here.set_master(veth, names_.bridge()));
        if (!outer->up) TRY_VOID(here.set_up(veth));
    }
    // Where br_netfilter shows bridged packets to the rules, an instance reaches its own published port only by the port it came
    // from.
    if (auto hairpin = here.set_hairpin(veth); !hairpin) log(Level::debug, "network", "{}", hairpin.error().message);
    TRY_VOID(step("address"));
    TRY_VOID(there.set_up("lo"));
    TRY_VOID(there.add_address("eth0", entry.address, book_->subnet()->bits));
    TRY_VOID(there.set_up("eth0"));
    TRY_VOID(step("route"));
    return there.set_default_route(book_->gateway());
}

Result<void> BridgeNetwork::remove_stale_links() {
    os::Rtnl here = TRY(os::Rtnl::open());
    for (const auto& link : TRY(here.links())) {
        if (link.kind != "veth" || !names_.is_veth(link.name)) continue;
        bool known =
            std::ranges::any_of(book_->entries(), [&](const auto& one) { return names_.veth(one.second.address) == link.name; });
        if (!known) TRY_VOID(here.remove_link(link.name));
    }
    return {};
}

} // namespace skerry::drivers::network
