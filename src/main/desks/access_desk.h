#pragma once

#include "env/env.h"
#include "http/server.h"
#include "store/store.h"
#include "trust/identity.h"

#include <functional>
#include <memory>

namespace skerry::main {

/// Gives out bearer tokens for people and programs, and takes them back:
///
///     POST   /access/v1     {user, role, ttl} → {token, id, user, role, expires}    role: admin or viewer
///     GET    /access/v1     → {tokens: [{id, user, role, expires}, …]}, without their secrets
///     DELETE /access/v1/ID  → {id, user}
///
/// For administrators. A token counts at the cell that made it. Its record (note "ID" of space "access", read by Callers) is durable before
/// the token leaves; records go a month after their end, with the next token that is made.
class AccessDesk {
public:
    struct Options {
        store::Store& store;
        env::Env& env;
        std::function<Result<trust::Identity>(const http::Request&)> identify;
    };
    explicit AccessDesk(Options options) : options_(std::move(options)) {}

    /// False: not one of these paths.
    bool answer(const http::Request&, const std::shared_ptr<http::Responder>&);

private:
    void give(const http::Request&, std::shared_ptr<http::Responder>);
    void list(const std::shared_ptr<http::Responder>&) const;
    void take_back(std::string_view id, std::shared_ptr<http::Responder>);

    Options options_;
};

} // namespace skerry::main
