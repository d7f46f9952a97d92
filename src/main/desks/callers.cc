#include "main/desks/callers.h"

#include "base/json.h"
#include "cell/links/seats.h"
#include "cell/wall_clock.h"
#include "trust/tokens/access_token.h"

#include <any>
#include <string_view>
#include <utility>

namespace skerry::main {

trust::Judgement Callers::judgement() const {
    return {.use = trust::Use::client,
            .at = {},
            .mark = {},
            .revoked = [this](const std::string& key) { return register_.is_revoked(key); },
            .walked = &walked_};
}

Result<http::Verdict> Callers::judge(const http::Chain& chain) const {
    return admit(TRY(trust::examine_peer(chain, membership_.anchors(), judgement())));
}

Result<http::Verdict> Callers::recall(std::string_view note) const {
    return admit(TRY(trust::examine_again(note, membership_.anchors(), judgement())));
}

Result<http::Verdict> Callers::admit(trust::Shown shown) const {
    if (shown.identity.role == trust::Role::user) {
        TRY_VOID(check_end(shown));
        return http::Verdict::of(std::move(shown));
    }
    // One that has ended gets as far as the renewal.
    if (auto member = register_.member(shown.identity); member && member->key != shown.key)
        return fail(Code::gone, "the key " + shown.key + " is not the one on record for " + shown.identity.title());
    // Cells come back many at once, and over links that are thin.
    auto note = shown.name;
    return http::Verdict::of(std::move(shown), std::move(note));
}

WallTime Callers::judging_time() const { return cell::judging_time(clock_, is_root_); }

Result<void> Callers::check_end(const trust::Shown& shown) const {
    if (shown.ends >= judging_time()) return {};
    return fail(Code::unauthenticated,
                "the certificate of " + shown.identity.title() + " ended at " + rfc3339(shown.ends) +
                    (shown.identity.role == trust::Role::user ? "; the server's machine has a newer one in its admin.kubeconfig"
                                                              : "; it renews it at /renewal/v1 by itself"));
}

Result<trust::Identity> Callers::identify(const http::Request& request) const {
    if (request.peer)
        if (auto* shown = std::any_cast<trust::Shown>(&request.peer->identity)) {
            if (register_.is_revoked(shown->key)) return fail(Code::unauthenticated, "key " + shown->key + " was revoked");
            TRY_VOID(check_end(*shown));
            if (shown->identity.role != trust::Role::user)
                TRY_VOID(cell::may_speak(store_, TRY(trust::peer_of(shown->identity))));
            return shown->identity;
        }
    std::string_view header = request.headers.get("Authorization");
    if (header.starts_with("Bearer ")) {
        auto token = TRY(trust::AccessToken::parse(header.substr(7)));
        auto note = store_.note("access", token.id.text());
        if (!note) return fail(Code::unauthenticated, "this access token is not known here");
        return trust::check(TRY(trust::AccessRecord::from_json(TRY(parse_json(*note)))), token, judging_time());
    }
    return fail(Code::unauthenticated, "no client certificate and no bearer token came with the request; use the kubeconfig that "
                                       "`skerry up` or `skerry core` wrote");
}

} // namespace skerry::main
