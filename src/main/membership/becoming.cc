#include "main/membership/becoming.h"

#include "main/machine/machine.h"
#include "main/membership/joining.h"

#include <cstdio>
#include <memory>
#include <utility>

namespace skerry::main {

namespace {

using DaemonRole = DaemonOptions::Role;

trust::JoinKind kind_of(DaemonRole role) {
    return role == DaemonRole::region ? trust::JoinKind::region
           : role == DaemonRole::site ? trust::JoinKind::site
                                      : trust::JoinKind::node;
}

} // namespace

Result<Membership::Known> Becoming::become() {
    auto known = TRY(membership_.load());
    if (known) return again(std::move(*known));
    if (wants_core()) {
        std::string name = options_.name.value_or(options_.role == DaemonRole::up ? machine_label() : "core");
        auto core = TRY(membership_.ensure_core(name, {}));
        store::Transaction notes;
        Membership::write_notes(notes, core);
        TRY_VOID(commit_and_wait(std::move(notes)));
        return core;
    }
    if (!options_.join)
        return fail(Code::invalid,
                    "--join: this machine has joined nothing yet; get a token from its parent (skerry token create --" +
                        std::string(trust::name(kind_of(options_.role))) + " NAME) and give it with --join TOKEN");
    auto token = TRY(trust::parse_join_token(*options_.join) | during("--join"));
    if (token.kind != kind_of(options_.role)) {
        std::string kind(trust::name(token.kind));
        return fail(Code::invalid, "--join: this token is for a " + kind + "; run skerry " + kind + " --join TOKEN");
    }
    return join(token);
}

Result<Membership::Known> Becoming::again(Membership::Known known) {
    trust::Role role = known.identity.role;
    bool fits = wants_core()                          ? role == trust::Role::core
                : options_.role == DaemonRole::site   ? role == trust::Role::site && !known.region
                : options_.role == DaemonRole::region ? role == trust::Role::site && known.region
                                                      : role == trust::Role::node;
    if (!fits)
        return fail(Code::conflict,
                    state_ + " belongs to " + known.title() + "; start it as that, or give this one another --state");
    if (wants_core() && options_.name && known.identity.name != *options_.name)
        return fail(Code::conflict, state_ + " belongs to " + known.title() + ", not to one named " + *options_.name +
                                        "; leave " + (options_.role == DaemonRole::up ? "--site" : "--name") +
                                        " out, or give this one another --state");
    if (!options_.join) return known;
    // Whoever is somebody already runs, whatever became of the token: a unit file may name one of long ago.
    auto go_on = [&](const Error& error) {
        std::fprintf(stderr, "skerry: --join: %s; going on as %s with the keys it has\n", error.message.c_str(),
                     known.title().c_str());
        return known;
    };
    auto token = trust::parse_join_token(*options_.join);
    if (!token) return go_on(token.error());
    if (token->name != known.identity.name || token->kind != kind_of(options_.role))
        return fail(Code::conflict, state_ + " has already joined as " + known.title() + "; this token is for " +
                                        std::string(trust::name(token->kind)) + " " + token->name);
    if (token->id.text() == known.token) return known;
    auto joined = join(*token, 2);
    if (joined || joined.error().code == Code::cancelled) return joined;
    return go_on(joined.error());
}

Result<Membership::Known> Becoming::join(const trust::JoinToken& token, std::optional<std::size_t> most_attempts) {
    store::Transaction notes;
    TRY_VOID(Joining(world_, env_, membership_).join(token, most_attempts, notes));
    TRY_VOID(commit_and_wait(std::move(notes)));
    membership_.forget_join(token);
    auto known = TRY(membership_.load());
    if (!known) return fail(Code::corrupt, "what the parent answered was stored, but cannot be read again");
    std::printf("joined as %s\n", known->title().c_str());
    return std::move(*known);
}

Result<void> Becoming::commit_and_wait(store::Transaction transaction) {
    struct Outcome {
        bool done = false;
        Result<void> result;
    };
    auto outcome = std::make_shared<Outcome>();
    store_.commit(std::move(transaction), [&world = world_, outcome](Result<store::Number> stored) {
        outcome->done = true;
        if (!stored) outcome->result = std::unexpected(stored.error());
        world.wake();
    });
    world_.run_until(outcome->done);
    if (!outcome->done) return fail(Code::cancelled, "asked to end before it was stored; start it again");
    return outcome->result;
}

} // namespace skerry::main
