#include "os/netlink.h"

#include "os/fd.h"
#include "os/netns.h"

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>

namespace skerry::os {
namespace {

template<auto release>
struct Release {
    template<class T>
    void operator()(T* object) const {
        release(object);
    }
};
using NlLink = std::unique_ptr<rtnl_link, Release<rtnl_link_put>>;
using NlVeth = std::unique_ptr<rtnl_link, Release<rtnl_link_veth_release>>;
using NlAddress = std::unique_ptr<rtnl_addr, Release<rtnl_addr_put>>;
using NlRoute = std::unique_ptr<rtnl_route, Release<rtnl_route_put>>;
using NlCache = std::unique_ptr<nl_cache, Release<nl_cache_free>>;
using NlMessage = std::unique_ptr<nl_msg, Release<nlmsg_free>>;
using NlBytes = std::unique_ptr<nl_addr, Release<nl_addr_put>>;

std::unexpected<Error> fail_netlink(const std::string& doing, int error) {
    Code code = Code::internal;
    switch (error < 0 ? -error : error) {
    case NLE_EXIST:
        code = Code::exists;
        break;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
        code = Code::not_found;
        break;
    case NLE_PERM:
    case NLE_NOACCESS:
        code = Code::forbidden;
        break;
    case NLE_OPNOTSUPP:
        code = Code::unsupported;
        break;
    case NLE_BUSY:
    case NLE_AGAIN:
        code = Code::unavailable;
        break;
    case NLE_NOMEM:
        code = Code::exhausted;
        break;
    case NLE_INVAL:
    case NLE_RANGE:
        code = Code::invalid;
        break;
    default:
        break;
    }
    return fail(code, doing + ": " + nl_geterror(error));
}

/// A name the kernel takes; libnl would cut a longer one, and then work on another link.
Result<void> check_link_name(const std::string& name) {
    if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == ".." ||
        name.find_first_of("/: \t\n") != std::string::npos)
        return fail(Code::invalid, "link name \"" + name.substr(0, 64) + "\": 1 to 15 characters without slash, colon or space");
    return {};
}

NlBytes bytes_of(Ipv4 address, int bits) {
    std::uint32_t wire = htonl(address.number);
    NlBytes bytes(nl_addr_build(AF_INET, &wire, sizeof wire));
    if (bytes) nl_addr_set_prefixlen(bytes.get(), bits);
    return bytes;
}

NlBytes bytes_of(const MacAddress& mac) { return NlBytes(nl_addr_build(AF_LLC, mac.data(), mac.size())); }

/// 0.0.0.0/0 where there is none.
Subnet subnet_of(const nl_addr* address) {
    if (!address || nl_addr_get_len(address) != 4) return {{}, 0};
    std::uint32_t wire = 0;
    __builtin_memcpy(&wire, nl_addr_get_binary_addr(address), 4);
    return {{ntohl(wire)}, static_cast<int>(nl_addr_get_prefixlen(address))};
}

Link read_link(rtnl_link* link) {
    Link found;
    found.index = rtnl_link_get_ifindex(link);
    if (const char* name = rtnl_link_get_name(link)) found.name = name;
    if (const char* kind = rtnl_link_get_type(link)) found.kind = kind;
    found.up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
    found.master = rtnl_link_get_master(link);
    found.peer = rtnl_link_get_link(link);
    found.mtu = rtnl_link_get_mtu(link);
    return found;
}

template<class T, class Each>
void for_each(nl_cache* cache, Each each) {
    for (nl_object* object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object))
        each(reinterpret_cast<T*>(object));
}

std::unexpected<Error> no_memory() { return fail(Code::exhausted, "netlink: out of memory"); }

Result<void> change(nl_sock* socket, const std::string& name, const std::string& doing, auto&& set) {
    TRY_VOID(check_link_name(name));
    rtnl_link* raw = nullptr;
    if (int error = rtnl_link_get_kernel(socket, 0, name.c_str(), &raw); error < 0)
        return fail_netlink(doing + " " + name, error);
    NlLink found(raw);
    NlLink wanted(rtnl_link_alloc());
    if (!wanted) return no_memory();
    rtnl_link_set_ifindex(wanted.get(), rtnl_link_get_ifindex(found.get()));
    TRY_VOID(set(wanted.get()));
    if (int error = rtnl_link_change(socket, found.get(), wanted.get(), 0); error < 0)
        return fail_netlink(doing + " " + name, error);
    return {};
}

} // namespace

void Rtnl::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<Rtnl> Rtnl::open() {
    Rtnl rtnl(nl_socket_alloc());
    if (!rtnl.socket_) return no_memory();
    if (int error = nl_connect(rtnl.socket_.get(), NETLINK_ROUTE); error < 0) return fail_netlink("open a netlink socket", error);
    return rtnl;
}

Result<Rtnl> Rtnl::open_in(const std::string& netns) {
    Result<Rtnl> made = fail(Code::internal, "netlink: not opened");
    TRY_VOID(in_netns(netns, [&]() -> Result<void> {
        made = open();
        return {};
    }));
    return made;
}

Result<std::vector<Link>> Rtnl::links() {
    nl_cache* raw = nullptr;
    if (int error = rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &raw); error < 0) return fail_netlink("list links", error);
    NlCache cache(raw);
    std::vector<Link> found;
    for_each<rtnl_link>(cache.get(), [&](rtnl_link* link) { found.push_back(read_link(link)); });
    return found;
}

Result<Link> Rtnl::link(const std::string& name) {
    TRY_VOID(check_link_name(name));
    rtnl_link* raw = nullptr;
    if (int error = rtnl_link_get_kernel(socket_.get(), 0, name.c_str(), &raw); error < 0)
        return fail_netlink("link " + name, error);
    return read_link(NlLink(raw).get());
}

Result<std::vector<LinkAddress>> Rtnl::addresses() {
    nl_cache* raw = nullptr;
    if (int error = rtnl_addr_alloc_cache(socket_.get(), &raw); error < 0) return fail_netlink("list addresses", error);
    NlCache cache(raw);
    std::vector<LinkAddress> found;
    for_each<rtnl_addr>(cache.get(), [&](rtnl_addr* address) {
        if (rtnl_addr_get_family(address) != AF_INET) return;
        Subnet local = subnet_of(rtnl_addr_get_local(address));
        found.push_back({rtnl_addr_get_ifindex(address), local.first, rtnl_addr_get_prefixlen(address)});
    });
    return found;
}

Result<std::vector<Route>> Rtnl::routes() {
    nl_cache* raw = nullptr;
    if (int error = rtnl_route_alloc_cache(socket_.get(), AF_INET, 0, &raw); error < 0) return fail_netlink("list routes", error);
    NlCache cache(raw);
    std::vector<Route> found;
    for_each<rtnl_route>(cache.get(), [&](rtnl_route* route) {
        if (rtnl_route_get_table(route) == RT_TABLE_LOCAL) return;
        Subnet destination = subnet_of(rtnl_route_get_dst(route));
        int link = rtnl_route_get_nnexthops(route) == 1 ? rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0)) : 0;
        found.push_back({destination, link, rtnl_route_get_table(route)});
    });
    return found;
}

Result<void> Rtnl::add_bridge(const std::string& name, MacAddress mac) {
    TRY_VOID(check_link_name(name));
    NlLink bridge(rtnl_link_bridge_alloc());
    NlBytes address = bytes_of(mac);
    if (!bridge || !address) return no_memory();
    rtnl_link_set_name(bridge.get(), name.c_str());
    rtnl_link_set_addr(bridge.get(), address.get());
    rtnl_link_set_flags(bridge.get(), IFF_UP);
    if (int error = rtnl_link_add(socket_.get(), bridge.get(), NLM_F_CREATE | NLM_F_EXCL); error < 0)
        return fail_netlink("add bridge " + name, error);
    return {};
}

Result<void> Rtnl::add_veth(const std::string& name, const std::string& master, const VethPeer& peer, unsigned mtu) {
    TRY_VOID(check_link_name(name));
    TRY_VOID(check_link_name(peer.name));
    Link bridge = TRY(link(master));
    Fd netns = TRY(os::open(peer.netns, O_RDONLY));
    NlVeth pair(rtnl_link_veth_alloc());
    NlBytes mac = bytes_of(peer.mac);
    if (!pair || !mac) return no_memory();
    rtnl_link_set_name(pair.get(), name.c_str());
    rtnl_link_set_master(pair.get(), bridge.index);
    rtnl_link_set_flags(pair.get(), IFF_UP);
    NlLink other(rtnl_link_veth_get_peer(pair.get()));
    rtnl_link_set_name(other.get(), peer.name.c_str());
    rtnl_link_set_addr(other.get(), mac.get());
    rtnl_link_set_ns_fd(other.get(), netns.number());
    if (mtu != 0) {
        rtnl_link_set_mtu(pair.get(), mtu);
        rtnl_link_set_mtu(other.get(), mtu);
    }
    if (int error = rtnl_link_add(socket_.get(), pair.get(), NLM_F_CREATE | NLM_F_EXCL); error < 0)
        return fail_netlink("add veth " + name, error);
    return {};
}

Result<void> Rtnl::add_veth(const std::string& name, const std::string& peer) {
    TRY_VOID(check_link_name(name));
    TRY_VOID(check_link_name(peer));
    NlVeth pair(rtnl_link_veth_alloc());
    if (!pair) return no_memory();
    rtnl_link_set_name(pair.get(), name.c_str());
    NlLink other(rtnl_link_veth_get_peer(pair.get()));
    rtnl_link_set_name(other.get(), peer.c_str());
    if (int error = rtnl_link_add(socket_.get(), pair.get(), NLM_F_CREATE | NLM_F_EXCL); error < 0)
        return fail_netlink("add veth " + name, error);
    return {};
}

Result<void> Rtnl::set_up(const std::string& name) {
    return change(socket_.get(), name, "set up link", [](rtnl_link* wanted) -> Result<void> {
        rtnl_link_set_flags(wanted, IFF_UP);
        return {};
    });
}

Result<void> Rtnl::set_master(const std::string& name, const std::string& master) {
    int index = TRY(link(master)).index;
    return change(socket_.get(), name, "set master of link", [&](rtnl_link* wanted) -> Result<void> {
        rtnl_link_set_master(wanted, index);
        return {};
    });
}

Result<void> Rtnl::move(const std::string& name, const std::string& netns) {
    Fd fd = TRY(os::open(netns, O_RDONLY));
    return change(socket_.get(), name, "move link", [&](rtnl_link* wanted) -> Result<void> {
        rtnl_link_set_ns_fd(wanted, fd.number());
        return {};
    });
}

Result<void> Rtnl::set_hairpin(const std::string& name) {
    // libnl cannot say this of a link it read otherwise (its family is fixed), so the message is put together here.
    int index = TRY(link(name)).index;
    NlMessage message(nlmsg_alloc_simple(RTM_SETLINK, 0));
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = index;
    if (!message || nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) return no_memory();
    nlattr* port = nla_nest_start(message.get(), IFLA_PROTINFO | NLA_F_NESTED);
    if (!port || nla_put_u8(message.get(), IFLA_BRPORT_MODE, 1) < 0) return no_memory();
    nla_nest_end(message.get(), port);
    // nl_send_sync frees the message.
    if (int error = nl_send_sync(socket_.get(), message.release()); error < 0)
        return fail_netlink("set hairpin mode of link " + name, error);
    return {};
}

Result<void> Rtnl::remove_link(const std::string& name) {
    TRY_VOID(check_link_name(name));
    NlLink link(rtnl_link_alloc());
    if (!link) return no_memory();
    rtnl_link_set_name(link.get(), name.c_str());
    int error = rtnl_link_delete(socket_.get(), link.get());
    if (error < 0 && error != -NLE_NODEV && error != -NLE_OBJ_NOTFOUND) return fail_netlink("remove link " + name, error);
    return {};
}

namespace {

Result<NlAddress> address_on(int link, Ipv4 address, int bits) {
    NlAddress wanted(rtnl_addr_alloc());
    NlBytes bytes = bytes_of(address, bits);
    if (!wanted || !bytes) return no_memory();
    rtnl_addr_set_ifindex(wanted.get(), link);
    rtnl_addr_set_local(wanted.get(), bytes.get());
    return wanted;
}

} // namespace

Result<void> Rtnl::add_address(const std::string& name, Ipv4 address, int bits) {
    NlAddress wanted = TRY(address_on(TRY(link(name)).index, address, bits));
    int error = rtnl_addr_add(socket_.get(), wanted.get(), 0);
    if (error < 0 && error != -NLE_EXIST) return fail_netlink("add address " + text(address) + " to " + name, error);
    return {};
}

Result<void> Rtnl::remove_address(const std::string& name, Ipv4 address, int bits) {
    NlAddress wanted = TRY(address_on(TRY(link(name)).index, address, bits));
    int error = rtnl_addr_delete(socket_.get(), wanted.get(), 0);
    if (error < 0 && error != -NLE_NOADDR) return fail_netlink("remove address " + text(address) + " from " + name, error);
    return {};
}

Result<void> Rtnl::set_default_route(Ipv4 gateway) { return add_route({{}, 0}, gateway); }

Result<void> Rtnl::add_route(Subnet destination, Ipv4 gateway) {
    NlRoute route(rtnl_route_alloc());
    NlBytes to = bytes_of(destination.first, destination.bits);
    NlBytes via = bytes_of(gateway, 32);
    if (!route || !to || !via) return no_memory();
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    if (!hop) return no_memory();
    rtnl_route_nh_set_gateway(hop, via.get());
    rtnl_route_add_nexthop(route.get(), hop);
    rtnl_route_set_family(route.get(), AF_INET);
    rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
    rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
    rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
    rtnl_route_set_dst(route.get(), to.get());
    if (int error = rtnl_route_add(socket_.get(), route.get(), NLM_F_CREATE | NLM_F_REPLACE); error < 0)
        return fail_netlink("add route " + text(destination) + " via " + text(gateway), error);
    return {};
}

} // namespace skerry::os
