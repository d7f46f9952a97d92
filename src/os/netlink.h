#pragma once

#include "base/result.h"
#include "os/ipv4.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct nl_sock;

namespace skerry::os {

struct Link {
    int index = 0;
    std::string name;
    std::string kind; ///< "bridge", "veth"; empty for real devices
    bool up = false;
    int master = 0; ///< index of the bridge it is a port of
    int peer = 0;   ///< a veth's other end, numbered in that end's namespace
    unsigned mtu = 0;
};

struct LinkAddress {
    int link = 0;
    Ipv4 address;
    int bits = 32;
};

struct Route {
    Subnet destination; ///< 0.0.0.0/0: default
    int link = 0;       ///< 0 where it has none (blackhole) or several
    std::uint32_t table = 0;
};

using MacAddress = std::array<std::uint8_t, 6>;

/// One end of a veth pair made inside another namespace.
struct VethPeer {
    std::string netns;
    std::string name;
    MacAddress mac{};
};

/// A route-netlink socket (rtnetlink(7)), bound to the namespace it was opened in, whatever its threads do later. Not for two
/// threads at once.
class Rtnl {
public:
    /// In the calling thread's namespace.
    static Result<Rtnl> open();
    static Result<Rtnl> open_in(const std::string& netns);

    Result<std::vector<Link>> links();
    /// `not_found` where there is none.
    Result<Link> link(const std::string& name);
    /// All of IPv4.
    Result<std::vector<LinkAddress>> addresses();
    /// All of IPv4, of all tables but `local`.
    Result<std::vector<Route>> routes();

    /// Up from the start. `exists` when the name is taken.
    Result<void> add_bridge(const std::string& name, MacAddress mac);
    /// Makes `name` here, up and a port of `master`, and its other end in a namespace, in one step. `mtu` 0: the kernel's choice.
    Result<void> add_veth(const std::string& name, const std::string& master, const VethPeer&, unsigned mtu = 0);
    /// Both ends here.
    Result<void> add_veth(const std::string& name, const std::string& peer);
    Result<void> set_up(const std::string& name);
    Result<void> set_master(const std::string& name, const std::string& master);
    Result<void> move(const std::string& name, const std::string& netns);
    /// Lets frames leave by the bridge port they came from.
    Result<void> set_hairpin(const std::string& name);
    /// None is fine. Taking one end of a veth pair takes both.
    Result<void> remove_link(const std::string& name);
    /// One that is there is fine.
    Result<void> add_address(const std::string& link, Ipv4, int bits);
    Result<void> remove_address(const std::string& link, Ipv4, int bits);
    /// Replaces the default route.
    Result<void> set_default_route(Ipv4 gateway);
    Result<void> add_route(Subnet, Ipv4 gateway);

private:
    struct Close {
        void operator()(nl_sock*) const;
    };
    explicit Rtnl(nl_sock* socket) : socket_(socket) {}
    std::unique_ptr<nl_sock, Close> socket_;
};

} // namespace skerry::os
