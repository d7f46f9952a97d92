#pragma once

#include "main/daemon.h"
#include "main/membership/membership.h"
#include "main/world.h"
#include "store/store.h"
#include "trust/tokens/join_token.h"

#include <cstddef>
#include <optional>
#include <string>

namespace skerry::main {

/// Who the cell of a state folder is when it starts: who it was; at the first start a core of its own, or what a token makes it; with
/// a new token it joins again, and keeps its cell, its store and what it runs. Runs the loop meanwhile.
///
/// Whoever it becomes is durable before anything follows from it. A state that is somebody else is refused.
class Becoming {
public:
    Becoming(const DaemonOptions& options, std::string state, World& world, env::Env env, store::Store& store,
             Membership& membership)
        : options_(options), state_(std::move(state)), world_(world), env_(env), store_(store), membership_(membership) {}

    /// `conflict`: the options, or a token, name another; `invalid`: it has joined nothing and has no token; `cancelled`: asked to
    /// end meanwhile.
    Result<Membership::Known> become();

private:
    Result<Membership::Known> again(Membership::Known);
    Result<Membership::Known> join(const trust::JoinToken&, std::optional<std::size_t> most_attempts = {});
    /// `cancelled` where the process is asked to end meanwhile: whether it was stored is open then.
    Result<void> commit_and_wait(store::Transaction);
    bool wants_core() const { return options_.role == DaemonOptions::Role::up || options_.role == DaemonOptions::Role::core; }

    const DaemonOptions& options_;
    std::string state_;
    World& world_;
    env::Env env_;
    store::Store& store_;
    Membership& membership_;
};

} // namespace skerry::main
