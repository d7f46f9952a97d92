#pragma once

#include "base/result.h"
#include "drivers/network/network_driver.h"
#include "os/ipv4.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::drivers::network {

struct Entry {
    os::Ipv4 address;
    std::string hostname;
    std::vector<PublishedPort> ports;
    bool operator==(const Entry&) const = default;
};

/// What must survive crashes and reboots: the node's subnet, and each instance's address and published ports. A value; its text
/// is kept in `network.json` of the state folder.
///
/// In a subnet the first address is the bridge's; the last is for broadcasts.
class AddressBook {
public:
    /// `corrupt` for text that is not a book, `unsupported` for one of a later version.
    static Result<AddressBook> parse(std::string_view text);
    std::string text() const;

    const std::optional<os::Subnet>& subnet() const { return subnet_; }
    os::Ipv4 gateway() const;
    /// Another subnet; instances keep their ports and get addresses anew.
    void move_to(os::Subnet);

    const std::map<InstanceName, Entry>& entries() const { return entries_; }
    const Entry* find(const InstanceName&) const;
    /// The instance's entry, its address the same as before where it had one. Addresses just freed are given out last, so that a
    /// late packet or cached name does not reach a stranger. `exhausted` when none is left.
    Result<Entry> assign(const Wish&);
    /// Takes back a known address, as found on a live link. Ports stay unknown until the next wish.
    void remember(const InstanceName&, os::Ipv4);
    void release(const InstanceName& name) { entries_.erase(name); }

    /// Whose port it is, besides `except`.
    const InstanceName* holder(const PublishedPort&, const InstanceName& except) const;

    bool operator==(const AddressBook&) const = default;

private:
    bool is_free(os::Ipv4) const;

    std::optional<os::Subnet> subnet_;
    std::uint32_t next_ = 2; ///< offset in the subnet where the search for a free address begins
    std::map<InstanceName, Entry> entries_;
};

/// The first /24 of the candidates that overlaps nothing in `taken`. `exhausted` when there is none.
Result<os::Subnet> choose_subnet(const std::vector<os::Subnet>& candidates, const std::vector<os::Subnet>& taken);

std::string_view name(PublishedPort::Protocol);

} // namespace skerry::drivers::network
