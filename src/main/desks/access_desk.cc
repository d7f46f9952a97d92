#include "main/desks/access_desk.h"

#include "api/status.h"
#include "base/json.h"
#include "main/desks/desk_body.h"
#include "model/rules/problems.h"
#include "trust/tokens/access_token.h"
#include "trust/tokens/rights.h"

#include <string>
#include <utility>

namespace skerry::main {

namespace {

constexpr std::size_t swept_at_once = 100; ///< at a time
constexpr std::string_view access_space = "access", access_path = "/access/v1";
constexpr Duration usual_life = 24h * 30, longest_life = 24h * 366;
constexpr std::chrono::seconds kept_after_end = 24h * 30;
constexpr std::size_t most_tokens = 10'000;

struct AccessWish {
    std::string user, group;
    Duration ttl = usual_life;
};

std::string role_of(const trust::AccessRecord& record) {
    auto who = trust::Identity::user(record.user, record.groups);
    return who.is_in(trust::administrators) ? "admin" : who.is_in(trust::viewers) ? "viewer" : "none";
}

Result<AccessWish> parse_access_wish(const http::Request& request) {
    Json body = TRY(read_desk_body(request, {{"user"}, {"role"}, {"ttl"}}));
    AccessWish wish{.user = std::string(body.text("user")), .group = {}};
    if (auto role = body.text("role"); role == "admin")
        wish.group = trust::administrators;
    else if (role == "viewer" || role.empty())
        wish.group = trust::viewers;
    else
        return fail(Code::invalid, "role: " + model::quoted(role) + " is neither admin nor viewer");
    TRY_VOID(trust::check(trust::Identity::user(wish.user, {wish.group})));
    if (auto ttl = body.text("ttl"); !ttl.empty()) wish.ttl = TRY(parse_duration(ttl) | during("ttl"));
    if (wish.ttl < 1s || wish.ttl > longest_life)
        return fail(Code::invalid, "ttl: " + text(wish.ttl) + " is not between 1s and " + text(longest_life));
    return wish;
}

Result<trust::AccessRecord> read_record(const std::string& note) { return trust::AccessRecord::from_json(TRY(parse_json(note))); }

Json summary_of(const trust::AccessRecord& record) {
    Json json = Json::object({{"id", record.id.text()}, {"user", record.user}, {"role", role_of(record)}});
    if (record.expires) json.set("expires", rfc3339(*record.expires));
    return json;
}

} // namespace

bool AccessDesk::answer(const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
    std::string_view path = request.path;
    if (!path.starts_with(access_path)) return false;
    std::string_view id = path.substr(access_path.size());
    if (!id.empty() && id.front() != '/') return false;
    auto may = [&]() -> Result<void> {
        auto who = TRY(options_.identify(request));
        return trust::may(who, trust::Verb::create, {.kind = "Secret", .project = {}, .name = {}, .site = {}, .node = {}});
    }();
    if (!may)
        responder->respond(api::refusal(may.error()));
    else if (id.empty() && request.method == "POST")
        give(request, responder);
    else if (id.empty() && request.method == "GET")
        list(responder);
    else if (!id.empty() && request.method == "DELETE")
        take_back(id.substr(1), responder);
    else
        responder->respond(api::refusal({Code::unsupported, request.method + " is not offered at " + request.path}));
    return true;
}

void AccessDesk::give(const http::Request& request, std::shared_ptr<http::Responder> responder) {
    auto wish = parse_access_wish(request);
    if (!wish) return responder->respond(api::refusal(wish.error()));
    WallTime now = options_.env.clock.wall(), expires = now;
    expires.seconds += std::chrono::duration_cast<std::chrono::seconds>(wish->ttl).count();
    store::Transaction transaction;
    std::size_t kept = 0, gone = 0;
    for (const auto& [id, note] : options_.store.notes(access_space)) {
        auto record = read_record(note);
        bool is_past = record && record->expires && record->expires->seconds + kept_after_end.count() < now.seconds;
        if (is_past && gone < swept_at_once && ++gone)
            transaction.erase_note(access_space, id);
        else
            ++kept;
    }
    if (kept >= most_tokens)
        return responder->respond(
            api::refusal({Code::exhausted,
                          "there are " + std::to_string(kept) + " access tokens; take back some (skerry access list, revoke)"}));
    trust::AccessToken token = trust::make_access_token(options_.env.chance);
    trust::AccessRecord record = trust::record_of(token, wish->user, {wish->group}, expires);
    transaction.note(access_space, record.id.text(), write_json(record.json()));
    Json answer = summary_of(record);
    answer.set("token", token.text());
    options_.store.commit(std::move(transaction), [responder, answer = std::move(answer)](Result<store::Number> done) {
        responder->respond(done ? api::json_response(201, answer) : api::refusal(done.error()));
    });
}

void AccessDesk::list(const std::shared_ptr<http::Responder>& responder) const {
    Json tokens = Json::array();
    for (const auto& [id, note] : options_.store.notes(access_space))
        if (auto record = read_record(note)) tokens.push(summary_of(*record));
    responder->respond(api::json_response(200, Json::object({{"tokens", std::move(tokens)}})));
}

void AccessDesk::take_back(std::string_view id, std::shared_ptr<http::Responder> responder) {
    std::string known(id);
    auto note = options_.store.note(access_space, known);
    auto record = note ? read_record(*note)
                       : fail(Code::not_found, "access token " + model::quoted(id) + " is not known here (skerry access list)");
    if (!record) return responder->respond(api::refusal(record.error()));
    store::Transaction transaction;
    transaction.erase_note(access_space, known);
    options_.store.commit(std::move(transaction), [responder, answer = summary_of(*record)](Result<store::Number> done) {
        responder->respond(done ? api::json_response(200, answer) : api::refusal(done.error()));
    });
}

} // namespace skerry::main
