#include "drivers/network/rules.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <sstream>

namespace skerry::drivers::network {
namespace {

/// What we want of a foreign chain, top first: all from our bridge, and into it what was published or belongs to a connection.
std::vector<std::string> accept_rules(const Names& names) {
    return {fmt::format("iifname \"{}\" accept", names.bridge()),
            fmt::format("oifname \"{}\" ct status dnat accept", names.bridge()),
            fmt::format("oifname \"{}\" ct state established,related accept", names.bridge())};
}

bool is_plain(std::string_view name) {
    return !name.empty() &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") ==
               std::string_view::npos &&
           std::string_view("-./0123456789").find(name.front()) == std::string_view::npos;
}

} // namespace

bool Names::is_veth(const std::string& link) const {
    if (!link.starts_with(prefix + "-")) return false;
    std::string_view number = std::string_view(link).substr(prefix.size() + 1);
    return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string own_table(const Names& names, const AddressBook& book) {
    std::string ports;
    for (const auto& [instance, entry] : book.entries())
        for (const auto& port : entry.ports)
            ports += fmt::format("    fib daddr type local {} dport {} dnat to {}:{} comment \"{}\"\n", name(port.protocol),
                                 port.host_port, os::text(entry.address), port.port, instance);
    return remove_own_table(names) + fmt::format(R"(table ip {table} {{
  chain guard {{
    type filter hook prerouting priority -300; policy accept;
    iifname "{bridge}" ip daddr 127.0.0.0/8 drop
  }}
  chain published {{
{ports}  }}
  chain from_outside {{
    type nat hook prerouting priority -100; policy accept;
    jump published
  }}
  chain from_here {{
    type nat hook output priority -100; policy accept;
    jump published
  }}
  chain leaving {{
    type nat hook postrouting priority 100; policy accept;
    oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
    ip saddr {subnet} ip daddr {subnet} ct status dnat masquerade
    ip saddr {subnet} oifname != "{bridge}" masquerade
  }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifname "{bridge}" accept
    oifname "{bridge}" ct status dnat accept
    oifname "{bridge}" ct state established,related accept
    oifname "{bridge}" drop
  }}
}}
)",
                                                 fmt::arg("table", names.table()), fmt::arg("bridge", names.bridge()),
                                                 fmt::arg("ports", ports),
                                                 fmt::arg("subnet", os::text(book.subnet().value_or(os::Subnet{}))));
}

std::string remove_own_table(const Names& names) {
    // Adding one first makes the deletion succeed where there is none.
    return fmt::format("table ip {0} {{ }}\ndelete table ip {0}\n", names.table());
}

std::vector<ForeignChain> forward_chains(const Json::Array& listing) {
    std::vector<ForeignChain> found;
    for (const Json& item : listing) {
        const Json* chain = item.find("chain");
        if (!chain || chain->text("hook") != "forward" || chain->text("type") != "filter") continue;
        ForeignChain one{.family = std::string(chain->text("family")),
                         .table = std::string(chain->text("table")),
                         .name = std::string(chain->text("name")),
                         .drops = chain->text("policy") == "drop"};
        if (one.family != "ip" && one.family != "inet") continue;
        if (one.table.starts_with("skerry_") || !is_plain(one.table) || !is_plain(one.name)) continue;
        found.push_back(std::move(one));
    }
    return found;
}

std::string open_chain(const Names& names, const ForeignChain& chain, const Json::Array& rules, Opening opening) {
    std::vector<std::int64_t> ours;
    bool on_top = true;
    bool has_foreign = false;
    for (const Json& item : rules) {
        const Json* rule = item.find("rule");
        if (!rule || rule->text("chain") != chain.name || rule->text("table") != chain.table) continue;
        const Json* handle = rule->find("handle");
        if (rule->text("comment") == names.table() && handle && handle->integer()) {
            ours.push_back(*handle->integer());
            on_top = on_top && !has_foreign;
        } else {
            has_foreign = true;
        }
    }
    auto accepts = accept_rules(names);
    bool wanted = opening == Opening::wanted && (chain.drops || has_foreign);
    if (wanted ? ours.size() == accepts.size() && on_top : ours.empty()) return {};
    std::string place = fmt::format("{} {} {}", chain.family, chain.table, chain.name);
    std::string commands;
    for (auto handle : ours) commands += fmt::format("delete rule {} handle {}\n", place, handle);
    if (wanted)
        for (auto rule = accepts.rbegin(); rule != accepts.rend(); ++rule)
            commands += fmt::format("insert rule {} {} comment \"{}\"\n", place, *rule, names.table());
    return commands;
}

IptablesChange open_iptables_chain(const Names& names, std::string_view listing, Opening opening) {
    IptablesChange change;
    bool drops = false;
    bool has_foreign = false;
    bool on_top = true;
    std::istringstream lines{std::string(listing)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream stream(line);
        std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
        if (line == "-P FORWARD DROP") drops = true;
        if (words.size() < 2 || words[0] != "-A" || words[1] != "FORWARD") continue;
        if (std::ranges::find(words, names.table()) != words.end()) {
            on_top = on_top && !has_foreign;
            words.front() = "-D";
            change.push_back(std::move(words));
        } else {
            has_foreign = true;
        }
    }
    const std::vector<std::vector<std::string>> matches = {
        {"-i", names.bridge()},
        {"-o", names.bridge(), "-m", "conntrack", "--ctstate", "DNAT"},
        {"-o", names.bridge(), "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"}};
    bool wanted = opening == Opening::wanted && (drops || has_foreign);
    if (!wanted) return change;
    if (change.size() == matches.size() && on_top) return {};
    for (std::size_t i = 0; i < matches.size(); ++i) {
        std::vector<std::string> words{"-I", "FORWARD", std::to_string(i + 1)};
        words.insert(words.end(), matches[i].begin(), matches[i].end());
        words.insert(words.end(), {"-m", "comment", "--comment", names.table(), "-j", "ACCEPT"});
        change.push_back(std::move(words));
    }
    return change;
}

} // namespace skerry::drivers::network
