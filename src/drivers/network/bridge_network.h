#pragma once

#include "drivers/network/address_book.h"
#include "drivers/network/network_driver.h"
#include "drivers/network/rules.h"
#include "os/netlink.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::drivers::network {

/// Of our links and tables, so that several nodes can share a machine: a letter, then up to nine letters, digits or underscores;
/// `invalid` says so.
Result<void> check_prefix(const std::string& prefix);

/// A bridge on this machine, with a veth pair to each instance:
///
///     the machine's namespace                                    run_folder/netns/<instance>
///     uplink ── NAT, published ports (ip skerry_<prefix>) ── <prefix>0 ══ <prefix>-12 ─────── eth0 10.213.0.12/24
///               accept rules in others' forward chains       10.213.0.1                      default via 10.213.0.1
///
/// On disk `state_folder/network.json` says what should be, and is written first; every step after it makes sure of something, so
/// repeating `adopt` or `connect` repairs whatever a crash left half done. `disconnect` goes the other way and rewrites the file
/// last.
///
/// A call works in the network namespace of its thread.
///
/// Known bounds: IPv4; 253 instances; what flushes others' rules or removes links is mended by the next `repair`, but a flush of
/// iptables-legacy alone by the next `adopt` or change of published ports. `reset` leaves net.ipv4.ip_forward on, since others may rely on it
/// by then.
class BridgeNetwork final : public NetworkDriver {
public:
    struct Options {
        std::string state_folder; ///< survives a reboot
        std::string run_folder;   ///< on a tmpfs, which does not
        std::string prefix = "skerry";
        std::vector<std::string> candidates = {"10.213.0.0/16", "10.88.64.0/18", "172.29.0.0/16", "192.168.224.0/19",
                                               "100.96.0.0/16"};
        std::vector<std::string> resolv_files = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
        /// For tests: asked before each step that changes the machine; an error ends the call there, as a crash would.
        std::function<Result<void>(std::string_view step)> before;
    };

    /// `invalid` for a bad prefix or candidate.
    static Result<std::unique_ptr<BridgeNetwork>> make(Options);

    Result<void> probe() override;
    Result<std::vector<InstanceName>> adopt(std::span<const InstanceName> wanted) override;
    Result<Attachment> connect(const Wish&) override;
    Result<void> disconnect(const InstanceName&) override;
    Result<std::vector<std::string>> repair() override;
    Result<void> reset() override;

private:
    BridgeNetwork(Options options, std::vector<os::Subnet> candidates);

    Result<void> step(std::string_view name) const { return options_.before ? options_.before(name) : Result<void>{}; }
    std::string netns_folder() const { return options_.run_folder + "/netns"; }
    std::string netns(const InstanceName& instance) const { return netns_folder() + "/" + instance; }

    Result<void> load();
    Result<void> save(const AddressBook&);
    Result<std::vector<InstanceName>> namespaces() const;
    Result<void> recover_addresses(const std::vector<InstanceName>& live);
    Result<void> settle_subnet(bool anyone_lives);
    Result<void> ensure_shared(bool anyone_lives);
    Result<void> ensure_bridge();
    Result<bool> mend_bridge();
    Result<bool> mend_forwarding();
    Result<bool> mend_rules();
    Result<void> wire(const InstanceName&, const Entry&);
    Result<void> take_down(const InstanceName&);
    Result<void> remove_stale_links();
    /// Fills `chains`, the listing of all rule chains, where it had to look.
    Result<void> check_ports(const Wish&, bool is_live, std::optional<Json::Array>& chains) const;
    Result<void> apply_rules(const AddressBook&, bool always, const std::optional<Json::Array>& chains = {});
    Result<void> open_foreign_chains(Opening, const Json::Array& chains);
    Result<void> open_iptables(const std::string& program, Opening);

    Options options_;
    std::vector<os::Subnet> candidates_;
    Names names_;
    std::optional<AddressBook> book_; ///< as on disk; none before the first call
    std::string applied_;             ///< our table as last put in force
    std::string listed_;              ///< … as the kernel listed it then; empty: not asked yet
    std::uint32_t generation_ = 0;    ///< of all rules, when they were last looked at
    bool shared_ready_ = false;
};

} // namespace skerry::drivers::network
