// The part of BridgeNetwork that puts rules in force and looks for taken ports.

#include "drivers/network/bridge_network.h"
#include "os/files.h"
#include "os/listeners.h"
#include "os/nft.h"
#include "os/process.h"

#include <algorithm>
#include <fmt/format.h>

namespace skerry::drivers::network {
namespace {

/// The comment of the rule that publishes this port in a table of another Skerry on this machine; its owner.
Result<std::optional<std::string>> published_elsewhere(const Names& names, const PublishedPort& wanted,
                                                       const Json::Array& chains) {
    for (const Json& item : chains) {
        const Json* chain = item.find("chain");
        if (!chain || chain->text("name") != "published" || chain->text("family") != "ip") continue;
        std::string_view table = chain->text("table");
        if (!table.starts_with("skerry_") || table == names.table()) continue;
        auto rules = os::list_nft({"chain", "ip", std::string(table), "published"});
        if (!rules) continue;
        for (const Json& entry : *rules) {
            const Json* rule = entry.find("rule");
            const Json* parts = rule ? rule->find("expr") : nullptr;
            if (!parts || !parts->array_items()) continue;
            for (const Json& part : *parts->array_items()) {
                const Json& field = part.at({"match", "left", "payload"});
                const std::int64_t* port = part.at({"match", "right"}).integer();
                if (field.text("field") == "dport" && field.text("protocol") == name(wanted.protocol) && port &&
                    *port == wanted.host_port)
                    return std::optional(fmt::format("instance {} of {}", rule->text("comment"), table));
            }
        }
    }
    return std::optional<std::string>{};
}

Result<bool> uses_legacy_tables() {
    // Asking iptables-legacy itself would make the tables.
    auto tables = os::read_file("/proc/thread-self/net/ip_tables_names");
    if (!tables) return false;
    return ("\n" + *tables).find("\nfilter\n") != std::string::npos;
}

Result<std::string> iptables(const std::string& program, std::vector<std::string> words) {
    words.insert(words.begin(), {program, "-w", "5"});
    return os::run_well({.argv = std::move(words)});
}

/// Whether iptables-nft is here and can read this chain. It refuses a chain in which it meets a rule of another make, so where it
/// rules the chain, our rules must be of its make too, or Docker and kube-proxy would fail from then on.
Result<bool> belongs_to_iptables(const ForeignChain& chain) {
    if (chain.family != "ip" || chain.table != "filter" || chain.name != "FORWARD") return false;
    return iptables("iptables-nft", {"-S", "FORWARD"}).has_value();
}

} // namespace

Result<void> BridgeNetwork::check_ports(const Wish& wish, bool is_live, std::optional<Json::Array>& chains) const {
    const Entry* entry = book_->find(wish.instance);
    for (auto port = wish.ports.begin(); port != wish.ports.end(); ++port) {
        std::string title = fmt::format("port {}/{}", port->host_port, name(port->protocol));
        if (port->host_port == 0 || port->port == 0)
            return fail(Code::invalid, "network: " + title + ": ports are numbers from 1 to 65535");
        auto same = [&](const PublishedPort& other) {
            return other.host_port == port->host_port && other.protocol == port->protocol;
        };
        if (std::any_of(wish.ports.begin(), port, same))
            return fail(Code::invalid, "network: " + title + " is published twice by one instance");
        if (const InstanceName* holder = book_->holder(*port, wish.instance)) {
            const Entry* other = book_->find(*holder);
            return fail(Code::exists,
                        fmt::format("{} of this machine is published by instance {}{}; publish another or remove that instance",
                                    title, *holder, other->hostname.empty() ? "" : " (" + other->hostname + ")"));
        }
        // What is in force already was checked when it came.
        if (is_live && entry && std::ranges::any_of(entry->ports, same)) continue;
        auto transport = port->protocol == PublishedPort::Protocol::udp ? os::Transport::udp : os::Transport::tcp;
        for (const auto& listener : TRY(os::listeners(transport)))
            if (listener.port == port->host_port)
                return fail(Code::exists, fmt::format("{} of this machine is in use by {}; publish another or stop that process",
                                                      title, os::owner_of_socket(listener.inode)));
        if (!chains) chains = TRY(os::list_nft({"chains"}));
        if (auto owner = TRY(published_elsewhere(names_, *port, *chains)))
            return fail(
                Code::exists,
                fmt::format("{} of this machine is published by {}; publish another or remove that instance", title, *owner));
    }
    return {};
}

Result<void> BridgeNetwork::apply_rules(const AddressBook& book, bool always, const std::optional<Json::Array>& chains) {
    std::string wanted = own_table(names_, book);
    if (!always && wanted == applied_) return {};
    TRY_VOID(step("rules"));
    applied_.clear();
    listed_.clear();
    generation_ = 0;
    TRY_VOID(os::apply_nft(wanted));
    TRY_VOID(open_foreign_chains(Opening::wanted, chains ? *chains : TRY(os::list_nft({"chains"}))));
    applied_ = std::move(wanted);
    return {};
}

Result<void> BridgeNetwork::open_foreign_chains(Opening opening, const Json::Array& chains) {
    std::string commands;
    for (const auto& chain : forward_chains(chains)) {
        if (TRY(belongs_to_iptables(chain))) {
            TRY_VOID(open_iptables("iptables-nft", opening));
            continue;
        }
        auto rules = os::list_nft({"chain", chain.family, chain.table, chain.name});
        if (!rules && rules.error().code == Code::not_found) continue; // gone meanwhile
        if (!rules) return std::unexpected(rules.error());
        commands += open_chain(names_, chain, *rules, opening);
    }
    if (!commands.empty()) {
        TRY_VOID(step("foreign chains"));
        TRY_VOID(os::apply_nft(commands) | during("accept the bridge's packets in the machine's other forward chains"));
    }
    return TRY(uses_legacy_tables()) ? open_iptables("iptables-legacy", opening) : Result<void>{};
}

Result<void> BridgeNetwork::open_iptables(const std::string& program, Opening opening) {
    auto listed = iptables(program, {"-S", "FORWARD"});
    if (!listed && listed.error().code == Code::not_found) return {};
    if (!listed) return std::unexpected(listed.error());
    IptablesChange change = open_iptables_chain(names_, *listed, opening);
    if (change.empty()) return {};
    TRY_VOID(step("iptables chain"));
    for (auto& words : change) TRY(iptables(program, std::move(words)));
    return {};
}

} // namespace skerry::drivers::network
