#include "trust/tokens/rights.h"

#include <algorithm>
#include <array>
#include <utility>

namespace skerry::trust {

namespace {

constexpr std::array<std::pair<Verb, std::string_view>, 10> verbs{{{Verb::get, "get"},
                                                                   {Verb::list, "list"},
                                                                   {Verb::watch, "watch"},
                                                                   {Verb::create, "create"},
                                                                   {Verb::update, "update"},
                                                                   {Verb::patch, "patch"},
                                                                   {Verb::remove, "delete"},
                                                                   {Verb::status, "update the status of"},
                                                                   {Verb::logs, "read the log of"},
                                                                   {Verb::exec, "exec in"}}};

bool is_read(Verb verb) { return verb == Verb::get || verb == Verb::list || verb == Verb::watch; }
bool is_write(Verb verb) {
    return verb == Verb::create || verb == Verb::update || verb == Verb::patch || verb == Verb::remove || verb == Verb::status;
}

bool user_may(const Identity& who, Verb verb, const Target& what) {
    if (who.is_in(administrators)) return true;
    return who.is_in(viewers) && what.kind != "Secret" && (is_read(verb) || verb == Verb::logs);
}

bool core_may(Verb verb) { return is_read(verb) || verb == Verb::logs || verb == Verb::exec; }

bool site_may(const Identity& who, Verb verb, const Target& what) {
    if (what.site.empty() || what.site != who.site) return false;
    if (is_read(verb)) return true;
    if (what.kind == "Node" || what.kind == "Instance" || what.kind == "Event") return is_write(verb);
    if (what.kind == "Site" || what.kind == "Allocation") return verb == Verb::status;
    return false;
}

bool node_may(const Identity& who, Verb verb, const Target& what) {
    if (what.site.empty() || what.site != who.site || what.node.empty() || what.node != who.name) return false;
    if (is_read(verb)) return true;
    if (what.kind == "Node" || what.kind == "Instance") return verb == Verb::status;
    return what.kind == "Event" && (verb == Verb::create || verb == Verb::update || verb == Verb::patch);
}

std::string_view remedy(const Identity& who) {
    switch (who.role) {
    case Role::user:
        return "it takes a member of group system:masters, or for reading one of skerry:viewers";
    case Role::core:
        return "a core's wishes come as a slice; as a caller it only reads";
    case Role::site:
        return "a site reads and writes only what is its own";
    case Role::node:
        return "a node reads and writes only what is its own";
    }
    return "";
}

} // namespace

std::string_view name(Verb verb) {
    auto found = std::ranges::find(verbs, verb, [](const auto& pair) { return pair.first; });
    return found == verbs.end() ? "" : found->second;
}

std::optional<Verb> parse_verb(std::string_view text) {
    for (auto [verb, name] : verbs)
        if (name == text && !name.contains(' ')) return verb;
    return {};
}

Result<void> may(const Identity& who, Verb verb, const Target& what) {
    bool allowed = false;
    switch (who.role) {
    case Role::user:
        allowed = user_may(who, verb, what);
        break;
    case Role::core:
        allowed = core_may(verb);
        break;
    case Role::site:
        allowed = site_may(who, verb, what);
        break;
    case Role::node:
        allowed = node_may(who, verb, what);
        break;
    }
    if (allowed) return {};
    std::string object = what.kind + (what.name.empty() ? "s" : " ") +
                         (what.project.empty() || what.name.empty() ? "" : what.project + "/") + what.name;
    if (what.name.empty() && !what.project.empty()) object += " of project " + what.project;
    return fail(Code::forbidden,
                who.title() + " may not " + std::string(name(verb)) + " " + object + ": " + std::string(remedy(who)));
}

Result<void> may_link(const Identity& child, const Identity& parent, Below below) {
    bool sites = below == Below::sites || below == Below::both, nodes = below == Below::nodes || below == Below::both;
    bool is_child = child.role == Role::site   ? sites && (parent.role == Role::core || child.name != parent.name)
                    : child.role == Role::node ? nodes && child.site == parent.site
                                               : false;
    if (is_child) return {};
    return fail(Code::forbidden,
                child.title() + " is no child of " + parent.title() +
                    ": dial the parent that was joined, or join this one with a token of its own (skerry token create)");
}

} // namespace skerry::trust
