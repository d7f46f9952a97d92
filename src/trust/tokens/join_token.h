#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "env/env.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

/// A region joins as a site does, and has sites below it.
enum class JoinKind : std::uint8_t { site, node, region };
std::string_view name(JoinKind);
Result<JoinKind> parse_join_kind(std::string_view);

/// An invitation for one site, region or node, handed over by people: `skerry1.<base64url>`.
struct JoinToken {
    JoinKind kind = JoinKind::site;
    std::string name;                   ///< what the joining cell will be called
    std::string authority_key;          ///< fingerprint of the key of the parent's authority: 64 hexadecimal digits
    std::vector<std::string> addresses; ///< of the parent, host:port, in order of preference; 1 to 16
    Id id;
    std::string secret; ///< 32 random bytes
    WallTime expires;
    bool operator==(const JoinToken&) const = default;
};

/// Fills in id and secret.
JoinToken make_join_token(env::Chance&, JoinKind, std::string name, std::string authority_key, std::vector<std::string> addresses,
                          WallTime expires);

/// Contains the secret: shown once, kept nowhere.
std::string text(const JoinToken&);
/// White space anywhere is ignored (terminals break lines). `invalid` says whether something is missing, damaged or of another
/// make; `unsupported` for a later version.
Result<JoinToken> parse_join_token(std::string_view);

} // namespace skerry::trust
