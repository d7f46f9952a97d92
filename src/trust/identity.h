#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "env/env.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

enum class Role : std::uint8_t { core, site, node, user };
std::string_view name(Role);

/// Members of this group may do everything (the Kubernetes name, so that its tools' habits hold).
inline constexpr std::string_view administrators = "system:masters";
/// Members may read everything but secrets.
inline constexpr std::string_view viewers = "skerry:viewers";

/// Whom a certificate or an access token speaks for.
///
/// In a certificate a cell is one URI among the subject's alternative names: `skerry://core/<name>/<cell>`,
/// `skerry://site/<name>/<cell>`, `skerry://node/<site>/<name>/<cell>`, with the cell's id in hexadecimal; a user is
/// `skerry://user/<name>` with the groups as organisations (O=) of the subject.
struct Identity {
    Role role = Role::user;
    std::string name;
    std::string site;                ///< of core and site: their own name; of a node: where it is; of a user: empty
    CellId cell;                     ///< none for users
    std::vector<std::string> groups; ///< users only
    bool operator==(const Identity&) const = default;

    static Identity core(std::string name, CellId cell) { return {Role::core, name, name, cell, {}}; }
    static Identity of_site(std::string name, CellId cell) { return {Role::site, name, name, cell, {}}; }
    static Identity node(std::string site, std::string name, CellId cell) {
        return {Role::node, std::move(name), std::move(site), cell, {}};
    }
    static Identity user(std::string name, std::vector<std::string> groups) {
        return {Role::user, std::move(name), {}, {}, std::move(groups)};
    }

    bool is_in(std::string_view group) const;
    /// "site store-17", "user admin": for messages.
    std::string title() const;
};

/// Names of cells are lower-case dotted labels up to 253 bytes; users and groups up to 128 of letters, digits and `.:_@-`; at
/// most 32 groups; cells have an id, users none.
Result<void> check(const Identity&);

std::string uri_of(const Identity&);
/// Without groups. `invalid` unless it is exactly what `uri_of` writes.
Result<Identity> parse_uri(std::string_view uri);

/// What a wire's other end is called; `forbidden` for users, who have no wires.
Result<env::Peer> peer_of(const Identity&);

} // namespace skerry::trust
