#include "trust/identity.h"

#include <algorithm>

namespace skerry::trust {

std::string_view name(Role role) {
    switch (role) {
    case Role::core:
        return "core";
    case Role::site:
        return "site";
    case Role::node:
        return "node";
    case Role::user:
        return "user";
    }
    return "user";
}

bool Identity::is_in(std::string_view group) const { return std::ranges::find(groups, group) != groups.end(); }

std::string Identity::title() const { return std::string(trust::name(role)) + " " + name; }

namespace {

bool is_lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_cell_name(std::string_view text) {
    if (text.empty() || text.size() > 253) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool edge = i == 0 || i + 1 == text.size() || text[i - 1] == '.' || text[i + 1] == '.';
        if (is_lower(text[i]) || (!edge && text[i] == '-')) continue;
        if (text[i] == '.' && i > 0 && i + 1 < text.size() && text[i - 1] != '.') continue;
        return false;
    }
    return true;
}

bool is_user_name(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
        return is_lower(c) || (c >= 'A' && c <= 'Z') || std::string_view(".:_@-").contains(c);
    });
}

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 80)) + "\""; }

} // namespace

Result<void> check(const Identity& identity) {
    if (identity.role == Role::user) {
        if (!is_user_name(identity.name))
            return fail(Code::invalid,
                        "user: " + quoted(identity.name) + " is not a user's name (1 to 128 letters, digits and .:_@-)");
        if (identity.groups.size() > 32)
            return fail(Code::invalid, "groups: " + std::to_string(identity.groups.size()) + ", at most 32 are allowed");
        for (const std::string& group : identity.groups)
            if (!is_user_name(group))
                return fail(Code::invalid,
                            "groups: " + quoted(group) + " is not a group's name (1 to 128 letters, digits and .:_@-)");
        if (identity.cell || !identity.site.empty()) return fail(Code::invalid, "user " + identity.name + " belongs to no cell");
        return {};
    }
    if (!is_cell_name(identity.name))
        return fail(Code::invalid,
                    "name: " + quoted(identity.name) + " is not a name (try lower-case letters, digits and -, such as store-17)");
    if (!is_cell_name(identity.site)) return fail(Code::invalid, "site: " + quoted(identity.site) + " is not a name");
    if (identity.role != Role::node && identity.site != identity.name)
        return fail(Code::invalid, "site: " + quoted(identity.site) + " is not that of " + identity.title());
    if (!identity.groups.empty()) return fail(Code::invalid, identity.title() + " cannot be in groups");
    if (!identity.cell) return fail(Code::invalid, identity.title() + " has no cell id");
    return {};
}

std::string uri_of(const Identity& identity) {
    std::string uri = "skerry://" + std::string(name(identity.role)) + "/";
    if (identity.role == Role::node) uri += identity.site + "/";
    uri += identity.name;
    if (identity.role != Role::user) uri += "/" + identity.cell.text();
    return uri;
}

Result<Identity> parse_uri(std::string_view uri) {
    auto refuse = [&] { return fail(Code::invalid, quoted(uri) + " names no cell or user"); };
    constexpr std::string_view scheme = "skerry://";
    if (uri.size() > 800 || !uri.starts_with(scheme)) return refuse();
    std::vector<std::string> parts;
    for (std::string_view rest = uri.substr(scheme.size());;) {
        std::size_t slash = rest.find('/');
        parts.emplace_back(rest.substr(0, slash));
        if (slash == std::string_view::npos) break;
        rest.remove_prefix(slash + 1);
    }
    Identity identity;
    if (parts[0] == "user" && parts.size() == 2) {
        identity = Identity::user(parts[1], {});
    } else {
        auto cell = Id::parse(parts.back());
        if (!cell) return refuse();
        if (parts[0] == "core" && parts.size() == 3)
            identity = Identity::core(parts[1], CellId(*cell));
        else if (parts[0] == "site" && parts.size() == 3)
            identity = Identity::of_site(parts[1], CellId(*cell));
        else if (parts[0] == "node" && parts.size() == 4)
            identity = Identity::node(parts[1], parts[2], CellId(*cell));
        else
            return refuse();
    }
    TRY_VOID(check(identity));
    // One spelling only (upper-case digits, say, would be a second).
    if (uri_of(identity) != uri) return refuse();
    return identity;
}

Result<env::Peer> peer_of(const Identity& identity) {
    switch (identity.role) {
    case Role::core:
        return env::Peer{env::Peer::Role::core, identity.name, identity.cell};
    case Role::site:
        return env::Peer{env::Peer::Role::site, identity.name, identity.cell};
    case Role::node:
        return env::Peer{env::Peer::Role::node, identity.name, identity.cell};
    case Role::user:
        break;
    }
    return fail(Code::forbidden, identity.title() + " may not open a link: links are for sites and nodes");
}

} // namespace skerry::trust
