#pragma once

#include "base/result.h"
#include "env/env.h"
#include "http/client.h"
#include "main/membership/membership.h"
#include "main/world.h"
#include "trust/join.h"

#include <cstddef>
#include <optional>
#include <string>

namespace skerry::main {

/// The child's side of joining: asks each address of a token in turn, with back-off, until one answers. Runs the loop meanwhile,
/// since nothing else of the cell is there yet.
///
/// A repeated join with the same token and the keys that are on disk gets the same answer, so that it may be cut off at any line.
class Joining {
public:
    Joining(World& world, env::Env env, Membership& membership) : world_(world), env_(env), membership_(membership) {}

    /// Fills the notes that make this cell what the token says; it is that once they are durable. Without `most_attempts` it asks
    /// for ever; with, `unavailable` after so many. `forbidden` with the parent's words; `cancelled` by a signal.
    Result<void> join(trust::JoinToken, std::optional<std::size_t> most_attempts, store::Transaction& notes);

private:
    Result<trust::JoinAnswer> ask_parent(trust::JoinToken&, const trust::JoinRequest&, std::optional<std::size_t> most_attempts);
    Result<void> follow(trust::JoinToken&, const std::string& address);
    Result<http::Response> ask(http::ClientOptions, http::Request);

    World& world_;
    env::Env env_;
    Membership& membership_;
};

} // namespace skerry::main
