#pragma once

#include "base/json.h"
#include "drivers/network/address_book.h"

#include <string>
#include <string_view>
#include <vector>

/// The rules as texts of nft(8). Nothing here touches the machine.
namespace skerry::drivers::network {

/// How this node's things are called in the kernel.
struct Names {
    std::string prefix;
    std::string bridge() const { return prefix + "0"; }
    /// The machine's end of an instance's veth pair: `skerry-12` for address …12.
    std::string veth(os::Ipv4 address) const { return prefix + "-" + std::to_string(address.number & 0xffff); }
    bool is_veth(const std::string& link) const;
    std::string table() const { return "skerry_" + prefix; }
};

/// Replaces our whole table by what the book asks for, in one transaction:
///
///     prerouting, raw      nothing from the bridge reaches 127.0.0.0/8, which route_localnet would let in (CVE-2020-8558)
///     prerouting, dstnat   port of a local address → instance, from outside and from other instances
///     output, dstnat       port of a local address → instance, from the machine itself, also by 127.0.0.1
///     postrouting, srcnat  the bridge's address instead of 127.0.0.1; also between instances that meet by a published
///                          port, so that answers come back here; the machine's address on the way out
///     forward              new connections into the subnet only by published ports
std::string own_table(const Names&, const AddressBook&);
/// Also where there is none.
std::string remove_own_table(const Names&);

/// A chain of somebody else's through which forwarded packets pass. An accept in our table does not outweigh a drop in theirs:
/// each base chain of a hook is asked.
struct ForeignChain {
    std::string family;
    std::string table;
    std::string name;
    bool drops = false; ///< by policy
};

/// The chains worth a look, from `nft -j list chains`. Names that would need quoting are left out.
std::vector<ForeignChain> forward_chains(const Json::Array& listing);

enum class Opening { wanted, unwanted };
/// The commands that put our accept rules on top of the chain, or take them away; empty where all is as it should be. `rules` is
/// `nft -j -a list chain …`. A chain that accepts everything gets none.
std::string open_chain(const Names&, const ForeignChain&, const Json::Array& rules, Opening);

/// The same for a chain that iptables(8) rules, by its own tables or by nftables: from what `iptables -S FORWARD` prints, the
/// argument lists of the calls to make, in order.
using IptablesChange = std::vector<std::vector<std::string>>;
IptablesChange open_iptables_chain(const Names&, std::string_view listing, Opening);

} // namespace skerry::drivers::network
