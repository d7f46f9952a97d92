#pragma once

#include "cell/cell.h"
#include "http/server.h"
#include "main/membership/membership.h"
#include "main/membership/register.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::main {

/// The parent's side of joining: gives out tokens and answers those who come with one.
///
///     POST /tokens/v1  {kind, name, labels, values, ttl, advertise, replace} → {token, name, expires}    for administrators
///     POST /join/v1    trust::JoinRequest → trust::JoinAnswer                                    for whoever has a token
///
/// Token records are notes (space "token", by id), durable before an answer leaves, so that a repeated join gets the same
/// certificate. A used one is kept for a month after its end, since a lost answer is asked for again; an unused one goes with
/// the first token or join after its end. A token is for the very Site or Node that was there when it was made (`Seat`), and
/// takes the place of a machine that has joined only if it was made to (`replace`): those keys are out from then on.
class JoinDesk {
public:
    struct Options {
        cell::Cell& cell;
        store::Store& store;
        Membership& membership;
        Register& members;
        Duration life; ///< of children's certificates
        std::function<void(const trust::Identity&)> joined;
        std::string site; ///< of this cell; empty: a core without a site
        bool takes_sites = false;
        bool takes_nodes = false;
        /// Where children reach this cell.
        std::function<std::vector<std::string>()> addresses;
        /// New addresses (HOST or HOST:PORT) that a token names: they go into the server's certificate too. Returns them with
        /// ports.
        std::function<Result<std::vector<std::string>>(const std::vector<std::string>&)> advertise;
        std::function<Result<trust::Identity>(const http::Request&)> identify;
    };
    explicit JoinDesk(Options);
    static constexpr std::string_view token_space = "token";

    /// False: not one of these paths.
    bool answer(const http::Request&, const std::shared_ptr<http::Responder>&);

private:
    void create_token(const http::Request&, std::shared_ptr<http::Responder>);
    void join(const http::Request&, std::shared_ptr<http::Responder>);

    Result<trust::Redeemed> redeem(const trust::TokenRecord&, const trust::JoinRequest&) const;
    /// Who has joined as this, and may speak; none: nobody, or one that is out.
    std::optional<trust::Member> sitting(const trust::Identity&) const;
    /// The Site or Node that a token is for; none: its row is damaged, and still missing (rule S5).
    Result<Uid> object_of(const trust::TokenRecord&) const;
    /// Its end is further away than any token's: it was made while the clock here was wrong.
    bool is_beyond(const trust::TokenRecord&) const;
    bool is_root() const { return options_.membership.parent_authorities().empty(); }
    /// Fills a transaction.
    void sweep(store::Transaction&) const;

    Options options_;
    std::set<std::string> under_way_; ///< names whose join is on its way to disk: a second one waits for what it says
};

} // namespace skerry::main
