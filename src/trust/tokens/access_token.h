#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "env/env.h"
#include "trust/identity.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

/// A bearer token of the API: `skerry-access.<id>.<secret>`.
struct AccessToken {
    Id id;
    std::string secret; ///< 32 bytes
    std::string text() const;
    static Result<AccessToken> parse(std::string_view text);
};

/// What is kept of it: its hash.
struct AccessRecord {
    Id id;
    std::string secret_hash;
    std::string user;
    std::vector<std::string> groups;
    std::optional<WallTime> expires;
    Json json() const;
    static Result<AccessRecord> from_json(const Json&);
};

AccessToken make_access_token(env::Chance&);
AccessRecord record_of(const AccessToken&, std::string user, std::vector<std::string> groups,
                       std::optional<WallTime> expires = {});

/// Whom the token speaks for; `unauthenticated` for a wrong secret or past its end. The record is the one with the token's id.
Result<Identity> check(const AccessRecord&, const AccessToken&, WallTime now);

} // namespace skerry::trust
