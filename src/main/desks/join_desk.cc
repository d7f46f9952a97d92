#include "main/desks/join_desk.h"

#include "api/status.h"
#include "base/bytes.h"
#include "base/log.h"
#include "cell/links/seats.h"
#include "cell/wall_clock.h"
#include "fleet/fleet.h"
#include "main/desks/desk_body.h"
#include "main/machine/address.h"
#include "model/rules/validate.h"
#include "site/site.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/tokens/rights.h"

namespace skerry::main {

namespace {

constexpr Duration longest_ttl = 24h * 366;
constexpr std::chrono::seconds kept_after_use = 24h * 30;
constexpr std::size_t most_swept = 100; ///< at a time

struct Wish {
    trust::JoinKind kind = trust::JoinKind::site;
    std::string name;
    std::map<std::string, std::string> labels, values;
    std::string profile, jurisdiction;
    Duration ttl = 24h;
    std::vector<std::string> advertise;
    bool replace = false;
};

Result<std::map<std::string, std::string>> parse_map(const Json& body, std::string_view field) {
    std::map<std::string, std::string> map;
    const Json* found = body.find(field);
    if (!found || found->is_null()) return map;
    if (!found->members() || found->members()->size() > 64)
        return fail(Code::invalid, std::string(field) + ": wanted an object of at most 64 names and texts");
    for (auto& [name, value] : *found->members()) {
        if (!value.string())
            return fail(Code::invalid, std::string(field) + "." + name + ": wanted a text, not " + std::string(value.shape()));
        map[name] = *value.string();
    }
    return map;
}

Result<Wish> parse_wish(const http::Request& request) {
    using Shape = DeskField::Shape;
    Json body = TRY(read_desk_body(request, {{"kind"},
                                             {"name"},
                                             {"labels", Shape::map},
                                             {"values", Shape::map},
                                             {"profile"},
                                             {"jurisdiction"},
                                             {"ttl"},
                                             {"advertise", Shape::list},
                                             {"replace", Shape::flag}}));
    Wish wish;
    wish.kind = TRY(trust::parse_join_kind(body.text("kind")));
    wish.replace = flag_of(body, "replace");
    wish.name = body.text("name");
    if (auto problem = model::format_problem(wish.kind == trust::JoinKind::node ? "name" : "label", wish.name); !problem.empty())
        return fail(Code::invalid, "name: \"" + wish.name + "\" " + problem);
    wish.labels = TRY(parse_map(body, "labels"));
    for (auto& [name, value] : wish.labels) {
        if (auto problem = model::format_problem("label-key", name); !problem.empty())
            return fail(Code::invalid, "labels: \"" + name + "\" " + problem);
        if (auto problem = model::format_problem("label-value", value); !problem.empty())
            return fail(Code::invalid, "labels." + name + ": \"" + value + "\" " + problem);
    }
    wish.values = TRY(parse_map(body, "values"));
    wish.profile = body.text("profile");
    if (!wish.profile.empty() && wish.profile != "lan" && wish.profile != "dsl" && wish.profile != "cellular" &&
        wish.profile != "satellite")
        return fail(Code::invalid, "profile: \"" + wish.profile + "\" is not one of lan, dsl, cellular, satellite");
    wish.jurisdiction = body.text("jurisdiction");
    if (!wish.jurisdiction.empty())
        if (auto problem = model::format_problem("country", wish.jurisdiction); !problem.empty())
            return fail(Code::invalid, "jurisdiction: \"" + wish.jurisdiction + "\" " + problem);
    if (auto ttl = body.text("ttl"); !ttl.empty()) wish.ttl = TRY(parse_duration(ttl) | during("ttl"));
    if (wish.ttl < 1s || wish.ttl > longest_ttl)
        return fail(Code::invalid, "ttl: " + text(wish.ttl) + " is not between 1s and 8784h");
    if (auto* list = body.find("advertise"); list && list->array_items()) {
        if (list->array_items()->size() > 16) return fail(Code::invalid, "advertise: at most 16 addresses");
        for (auto& item : *list->array_items()) {
            if (!item.string()) return fail(Code::invalid, "advertise: wanted texts host:port");
            TRY_VOID(check_address("advertise", *item.string()));
            wish.advertise.push_back(*item.string());
        }
    }
    return wish;
}

Result<trust::Member> member_of(const trust::Redeemed& redeemed, const trust::Authority& authority) {
    trust::Member member{.cell = redeemed.identity.cell, .issued_by = authority.key(), .follows = authority.key()};
    auto own = TRY(trust::read_certificate(redeemed.answer.chain));
    member.key = own.key_fingerprint;
    member.ends = own.not_after;
    member.public_key = TRY(trust::certified_key(redeemed.answer.chain));
    if (!redeemed.answer.authority_chain.empty())
        member.authority_key = TRY(trust::read_certificate(redeemed.answer.authority_chain)).key_fingerprint;
    return member;
}

trust::Identity named(trust::JoinKind kind, const std::string& name) {
    return {.role = kind == trust::JoinKind::node ? trust::Role::node : trust::Role::site,
            .name = name,
            .site = {},
            .cell = {},
            .groups = {}};
}

env::Peer::Role peer_role(const trust::Identity& identity) {
    return identity.role == trust::Role::node ? env::Peer::Role::node : env::Peer::Role::site;
}

/// "skerry token create --site store-17"
std::string remedy_of(trust::JoinKind kind, const std::string& name) {
    return "skerry token create --" + std::string(trust::name(kind)) + " " + name;
}

} // namespace

JoinDesk::JoinDesk(Options options) : options_(std::move(options)) {}

bool JoinDesk::answer(const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
    bool token = request.path == "/tokens/v1", join_path = request.path == "/join/v1";
    if (!token && !join_path) return false;
    if (request.method != "POST") {
        responder->respond(api::refusal({Code::unsupported, request.method + " is not offered here; only POST"}));
        return true;
    }
    if (token)
        create_token(request, responder);
    else
        join(request, responder);
    return true;
}

void JoinDesk::create_token(const http::Request& request, std::shared_ptr<http::Responder> responder) {
    auto refuse = [&](const Error& error) { responder->respond(api::refusal(error)); };
    auto who = options_.identify(request);
    if (!who) return refuse(who.error());
    if (auto may = trust::may(*who, trust::Verb::create, {.kind = "Site", .project = {}, .name = {}, .site = {}, .node = {}});
        !may)
        return refuse(may.error());
    auto wish = parse_wish(request);
    if (!wish) return refuse(wish.error());
    bool for_site = wish->kind != trust::JoinKind::node;
    if (for_site && !options_.takes_sites)
        return refuse({Code::unsupported, "kind: a site takes nodes, not sites; ask its parent for a site's token"});
    if (!for_site && !options_.takes_nodes)
        return refuse({Code::unsupported, "kind: a core or region takes sites, not nodes; ask the API of the node's site"});
    if (wish->kind == trust::JoinKind::region && !is_root())
        return refuse(
            {Code::unsupported, "kind: a region below a region is not served; give its sites in here, or ask the core"});
    if (for_site && !is_root() && wish->name == options_.cell.self().name)
        return refuse({Code::conflict, "name: \"" + wish->name + "\" is this cell itself; use another name"});
    if (!for_site && !wish->name.starts_with(options_.site + ".")) wish->name = options_.site + "." + wish->name;
    fleet::SiteWish site{.name = wish->name,
                         .labels = wish->labels,
                         .values = wish->values,
                         .parents = {options_.cell.self().name},
                         .jurisdiction = {},
                         .profile = {},
                         .region = wish->kind == trust::JoinKind::region};
    if (!wish->jurisdiction.empty()) site.jurisdiction = wish->jurisdiction;
    if (!wish->profile.empty()) site.profile = wish->profile;
    if (auto other = for_site ? fleet::difference(options_.store, site) : ""; !other.empty())
        return refuse({Code::conflict, "site " + wish->name + " exists, and " + other +
                                           "; leave that out, or edit the Site first (skerry get site " + wish->name +
                                           " -o yaml, then skerry apply)"});
    auto identity = named(wish->kind, wish->name);
    if (auto member = wish->replace ? std::nullopt : sitting(identity)) {
        auto view = options_.cell.peers().child(wish->name, peer_role(identity));
        return refuse(
            {Code::conflict, "name: " + identity.title() + " has joined" +
                                 (view && view->in_touch ? " and is in touch" : " (and is out of touch)") +
                                 "; a machine that joins with a new token takes its place, and the one there now loses its "
                                 "link and may read nothing more here. If that is meant: " +
                                 remedy_of(wish->kind, wish->name) + " --replace"});
    }
    std::vector<std::string> addresses;
    if (!wish->advertise.empty()) {
        auto complete = options_.advertise(wish->advertise);
        if (!complete) return refuse(complete.error());
        addresses = std::move(*complete);
    }
    for (auto& address : options_.addresses())
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end() && addresses.size() < 16)
            addresses.push_back(address);

    auto& env = options_.cell.env();
    WallTime expires = env.clock.wall();
    expires.seconds += std::chrono::duration_cast<std::chrono::seconds>(wish->ttl).count();
    trust::JoinToken token =
        trust::make_join_token(env.chance, wish->kind, wish->name, options_.membership.authority()->key(), addresses, expires);
    trust::TokenRecord record = trust::record_of(token, wish->labels);
    record.replaces = wish->replace;
    auto stored = [this, token, record, responder](Result<store::Key> made) mutable {
        if (!made) return responder->respond(api::refusal(made.error()));
        auto object = options_.store.get(*made);
        if (!object)
            return responder->respond(api::refusal(
                {Code::unavailable, made->text() + " was damaged on this cell's disk; apply it again first, then ask again"}));
        record.object = object->uid;
        store::Transaction transaction;
        transaction.note(token_space, record.id.text(), write_json(record.json()));
        sweep(transaction);
        options_.store.commit(std::move(transaction), [responder, token](Result<store::Number> done) {
            if (!done) return responder->respond(api::refusal(done.error()));
            responder->respond(api::json_response(
                201, Json::object({{"token", trust::text(token)}, {"name", token.name}, {"expires", rfc3339(token.expires)}})));
        });
    };
    if (auto other = for_site ? "" : site::difference(options_.store, wish->name, wish->labels); !other.empty())
        return refuse({Code::conflict, "node " + wish->name + " exists, and " + other +
                                           "; leave that out, or edit the Node first (skerry label node " + wish->name + " …)"});
    if (!for_site) return site::ensure_node(options_.cell, options_.site, wish->name, wish->labels, stored);
    fleet::ensure_site(options_.cell, std::move(site), stored);
}

void JoinDesk::join(const http::Request& request, std::shared_ptr<http::Responder> responder) {
    auto body = parse_json(request.body, {.bytes = 64 << 10, .depth = 4, .values = 64});
    if (!body) return responder->respond(api::refusal(body.error()));
    auto wanted = trust::JoinRequest::from_json(*body);
    if (!wanted) return responder->respond(api::refusal(wanted.error()));
    auto note = options_.store.note(token_space, wanted->token.text());
    if (!note)
        return responder->respond(
            api::refusal({Code::unauthenticated, "this token is not known here; ask for a new one (skerry token create)"}));
    auto stored = parse_json(*note);
    auto record = stored ? trust::TokenRecord::from_json(*stored) : std::unexpected(stored.error());
    if (!record) return responder->respond(api::refusal({Code::corrupt, "the token's record: " + record.error().message}));
    std::string title = named(record->kind, record->name).title();
    if (under_way_.contains(title))
        return responder->respond(
            api::refusal({Code::unavailable, title + " is being joined by another request at this moment; try again"}));
    auto redeemed = redeem(*record, *wanted);
    auto member = redeemed ? member_of(*redeemed, *options_.membership.authority()) : std::unexpected(redeemed.error());
    if (!member) return responder->respond(api::refusal(member.error()));
    if (options_.members.is_revoked(member->key) || options_.members.is_revoked(member->authority_key))
        return responder->respond(api::refusal(
            {Code::forbidden,
             "request: its key was revoked; join with a new token, for which a new key is made (skerry token create)"}));
    auto object = object_of(*record);
    if (!object) return responder->respond(api::refusal(object.error()));
    log(Level::info, "join", "{} joins from {}{}", redeemed->identity.title(), request.remote,
        redeemed->repeated ? " (again)" : "");
    if (redeemed->repeated) return responder->respond(api::json_response(200, redeemed->answer.json()));
    store::Transaction transaction;
    transaction.note(token_space, record->id.text(), write_json(redeemed->record.json()));
    if (*object)
        cell::take_seat(transaction, peer_role(redeemed->identity), record->name, {.object = *object, .cell = member->cell});
    under_way_.insert(title);
    options_.members.put(
        std::move(transaction), redeemed->identity, *member,
        [this, responder, title, answer = redeemed->answer.json(), who = redeemed->identity](Result<store::Number> done) {
            under_way_.erase(title);
            if (done) options_.joined(who);
            responder->respond(done ? api::json_response(200, answer) : api::refusal(done.error()));
        });
}

Result<trust::Redeemed> JoinDesk::redeem(const trust::TokenRecord& record, const trust::JoinRequest& wanted) const {
    const env::Clock& clock = options_.cell.env().clock;
    auto redeemed =
        TRY(trust::redeem(record, wanted, *options_.membership.authority(),
                          {.now = clock.wall(), .judged = cell::judging_time(clock, is_root()), .life = options_.life}));
    if (redeemed.repeated) return redeemed;
    std::string remedy = remedy_of(record.kind, record.name);
    if (is_beyond(record))
        return fail(Code::unauthenticated, "the join token for " + redeemed.identity.title() +
                                               " was made while the clock here was wrong: make a new one with " + remedy);
    if (!record.replaces && sitting(redeemed.identity))
        return fail(Code::forbidden,
                    redeemed.identity.title() +
                        " has joined since this token was made, and it is not for taking its place: make one that is with " +
                        remedy + " --replace");
    return redeemed;
}

std::optional<trust::Member> JoinDesk::sitting(const trust::Identity& identity) const {
    auto member = options_.members.member(identity);
    if (!member || options_.members.is_revoked(member->key)) return {};
    const Membership& own = options_.membership;
    // Under a key of ours that was given up nobody is believed.
    bool believed = member->issued_by == own.authority()->key() || !trust::since(member->issued_by, own.succession()).empty();
    store::Key key = cell::seat_object(peer_role(identity), identity.name);
    // From a damaged row nothing follows (rule S5).
    if (!believed || (!options_.store.get(key) && !options_.store.missing().contains(key))) return {};
    if (!cell::may_speak(options_.store, {.role = peer_role(identity), .name = identity.name, .cell = member->cell})) return {};
    return member;
}

Result<Uid> JoinDesk::object_of(const trust::TokenRecord& record) const {
    auto role = peer_role(named(record.kind, record.name));
    store::Key key = cell::seat_object(role, record.name);
    auto object = options_.store.get(key);
    if (!object && options_.store.missing().contains(key)) {
        auto seat = cell::seat_of(options_.store, role, record.name);
        return record.object || !seat ? record.object : seat->object; // a token of before says no object
    }
    if (object && (!record.object || object->uid == record.object)) return object->uid;
    return fail(Code::forbidden, named(record.kind, record.name).title() +
                                     " was deleted since this token was made for it: make a new one with " +
                                     remedy_of(record.kind, record.name));
}

bool JoinDesk::is_beyond(const trust::TokenRecord& record) const {
    const env::Clock& clock = options_.cell.env().clock;
    return record.used_by.empty() && cell::knows_time(clock, is_root()) && clock.wall() + longest_ttl < record.expires;
}

void JoinDesk::sweep(store::Transaction& transaction) const {
    WallTime now = cell::judging_time(options_.cell.env().clock, is_root());
    std::size_t gone = 0;
    for (const auto& [id, text] : options_.store.notes(token_space)) {
        auto json = parse_json(text);
        auto record = json ? trust::TokenRecord::from_json(*json) : std::unexpected(json.error());
        if (!record) continue;
        WallTime end = record->expires;
        if (!record->used_by.empty()) end.seconds += std::chrono::seconds(kept_after_use).count();
        if (end >= now && !is_beyond(*record)) continue;
        transaction.erase_note(token_space, id);
        if (++gone == most_swept) return;
    }
}

} // namespace skerry::main
