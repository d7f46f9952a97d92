#include "main/membership/joining.h"

#include "base/json.h"
#include "http/client.h"
#include "trust/certificate.h"
#include "trust/succession.h"

#include <algorithm>
#include <cstdio>

namespace skerry::main {

Result<http::Response> Joining::ask(http::ClientOptions to, http::Request request) {
    auto client = TRY(http::Client::create(world_.loop.context(), std::move(to)));
    Result<http::Response> answer = fail(Code::cancelled, "interrupted");
    bool done = false;
    auto call = client->send(std::move(request), [&](Result<http::Response> response) {
        answer = std::move(response);
        done = true;
        world_.wake();
    });
    world_.run_until(done);
    return answer;
}

/// The parent's authority has a newer key than the token names: which one, the older one vouches for (rule T3).
Result<void> Joining::follow(trust::JoinToken& token, const std::string& address) {
    http::Request get{.path = "/succession/v1", .query = {{"key", token.authority_key}}};
    auto answer = TRY(ask({.base = "https://" + address, .tls = {.insecure = true}, .max_body = 2 << 20}, std::move(get)));
    Json body = TRY(parse_json(answer.body, {.bytes = 2 << 20, .depth = 5, .values = 8192}));
    auto passed = TRY(trust::follow(token.authority_key, TRY(trust::parse_succession(body))));
    token.authority_key = TRY(trust::read_certificate(passed.back())).key_fingerprint;
    return {};
}

Result<trust::JoinAnswer> Joining::ask_parent(trust::JoinToken& token, const trust::JoinRequest& request,
                                              std::optional<std::size_t> most_attempts) {
    Duration back_off = 500ms;
    for (std::size_t attempt = 0;; ++attempt) {
        const std::string& address = token.addresses[attempt % token.addresses.size()];
        http::Request post{.method = "POST",
                           .path = "/join/v1",
                           .query = {},
                           .headers = {{"Content-Type", "application/json"}},
                           .body = write_json(request.json())};
        auto answer = ask({.base = "https://" + address, .tls = {.pin = token.authority_key}}, std::move(post));
        if (world_.stopping) return fail(Code::cancelled, "interrupted");
        if (answer && answer->status < 500) {
            auto body = parse_json(answer->body);
            if (answer->status != 200)
                return fail(Code::forbidden,
                            address + " refuses: " +
                                (body ? std::string(body->text("message")) : "status " + std::to_string(answer->status)));
            return trust::JoinAnswer::from_json(TRY(std::move(body)));
        }
        if (!answer && answer.error().code == Code::unauthenticated && follow(token, address)) continue;
        std::string why = answer ? "status " + std::to_string(answer->status) : answer.error().message;
        if (most_attempts && attempt + 1 >= *most_attempts) return fail(Code::unavailable, why);
        std::fprintf(stderr, "skerry: %s; trying again in %s\n", why.c_str(), text(back_off).c_str());
        bool waited = false;
        auto timer = env_.timers.after(back_off, [&] {
            waited = true;
            world_.wake();
        });
        world_.run_until(waited);
        if (world_.stopping) return fail(Code::cancelled, "interrupted");
        back_off = std::min<Duration>(back_off * 2, 15s);
    }
}

Result<void> Joining::join(trust::JoinToken token, std::optional<std::size_t> most_attempts, store::Transaction& notes) {
    auto request = TRY(membership_.prepare_join(token));
    auto answer = TRY(ask_parent(token, request, most_attempts) | during("joining as " + token.name));
    return membership_.complete_join(token, request, answer, notes);
}

} // namespace skerry::main
