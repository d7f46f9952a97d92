#include "main/desks/trust_desk.h"

#include "api/status.h"
#include "base/log.h"
#include "cell/links/seats.h"
#include "cell/writing.h"
#include "main/desks/desk_body.h"
#include "main/desks/join_desk.h"
#include "model/conditions.h"
#include "model/node.pb.h"
#include "model/rules/validate.h"
#include "model/site.pb.h"
#include "trust/tokens/rights.h"
#include "trust/verify.h"

#include <algorithm>

namespace skerry::main {

namespace {

using env::Peer;
using Responding = const std::shared_ptr<http::Responder>&;

constexpr std::string_view node_space = "revoked-node", heard_space = "revocation-heard";
/// After a change of the authority's key children are sent to come back, this many a second.
constexpr std::int64_t dismissed_per_second = 50;

void refuse(Responding responder, const Error& error) { responder->respond(api::refusal(error)); }

Result<Json> body_of(const http::Request& request) {
    return parse_json(request.body, {.bytes = 64 << 10, .depth = 4, .values = 64});
}

Json text_list(const std::vector<std::string>& texts) {
    Json list = Json::array();
    for (const std::string& text : texts) list.push(text);
    return list;
}

template<class M>
void set_revoked(store::Store& store, const store::Object& object, const std::string& reason, const std::string& now) {
    auto report = cell::part_of<M>(object, store::Part::seen);
    auto& conditions = *report.mutable_status()->mutable_conditions();
    if (reason.empty())
        model::remove_condition(conditions, "Revoked");
    else
        model::set_condition(conditions, "Revoked", "True", "Revoked",
                             "its keys may not speak here any more (" + reason + "); let it join again with a new token", now);
    cell::report_part(store, object, store::Part::seen, report);
}

} // namespace

TrustDesk::TrustDesk(Options options) : options_(std::move(options)) {
    for (const auto& [id, text] : options_.store.notes(node_space))
        if (auto json = parse_json(text); json && json->text("told").empty()) news_.insert(std::string(json->text("site")));
}

Result<void> TrustDesk::may_link(const trust::Identity& who) const {
    if (who.role != trust::Role::site || !news_.contains(who.name)) return {};
    return fail(Code::unauthenticated,
                "there is word about nodes of " + who.title() + " that it has to hear first, at /renewal/v1");
}

bool TrustDesk::answer(const http::Request& request, Responding responder) {
    struct Way {
        std::string_view method, path;
        void (*go)(TrustDesk&, const http::Request&, Responding);
    };
    static constexpr Way ways[] = {
        {"POST", "/renewal/v1", [](TrustDesk& desk, const http::Request& r, Responding to) { desk.renew(r, to); }},
        {"GET", "/succession/v1", [](TrustDesk& desk, const http::Request& r, Responding to) { desk.succession(r, to); }},
        {"POST", "/authority/v1", [](TrustDesk& desk, const http::Request& r, Responding to) { desk.change_authority(r, to); }},
        {"POST", "/revocations/v1", [](TrustDesk& desk, const http::Request& r, Responding to) { desk.revoke(r, to); }},
        {"GET", "/authority/v1",
         [](TrustDesk& desk, const http::Request& r, Responding to) {
             if (auto may = desk.administrator(r); !may) return refuse(to, may.error());
             to->respond(api::json_response(200, desk.status()));
         }},
    };
    bool known = false;
    for (const Way& way : ways) {
        if (way.path != request.path) continue;
        known = true;
        if (way.method != request.method) continue;
        way.go(*this, request, responder);
        return true;
    }
    if (known) refuse(responder, {Code::unsupported, request.method + " is not offered at " + request.path});
    return known;
}

Result<void> TrustDesk::administrator(const http::Request& request) const {
    auto who = TRY(options_.identify(request));
    return trust::may(who, trust::Verb::create, {.kind = "Site", .project = {}, .name = {}, .site = {}, .node = {}});
}

void TrustDesk::renew(const http::Request& request, Responding responder) {
    store::Transaction transaction;
    std::optional<trust::Member> record;
    auto answer = [&]() -> Result<trust::Renewed> {
        const auto* shown = request.peer ? std::any_cast<trust::Shown>(&request.peer->identity) : nullptr;
        if (!shown || shown->identity.role == trust::Role::user)
            return fail(Code::unauthenticated, "only sites and nodes renew here, with the certificate they have");
        auto member = options_.members.member(shown->identity);
        if (!member)
            return fail(Code::unauthenticated,
                        shown->identity.title() + " is not on record here; let it join with a token (skerry token create)");
        TRY_VOID(cell::may_speak(options_.store, TRY(trust::peer_of(shown->identity))));
        auto who = TRY(trust::verify_renewal(request.peer->chain, options_.membership.anchors(), member->key));
        auto wanted = TRY(trust::RenewalRequest::from_json(TRY(body_of(request))));
        bool has_parent = !options_.membership.parent_authorities().empty();
        auto renewed =
            TRY(trust::renew(who, *member, wanted, *options_.membership.authority(), options_.membership.succession(),
                             {.now = options_.clock.wall(), .time = options_.clock.told(has_parent), .life = options_.life}));
        if (who.role == trust::Role::site) {
            auto& told = renewed.answer.revocations = revocations_of(who.name);
            // An answer may be lost: told is only what the site says that it has acted on.
            if (!told.empty() && wanted.heard == trust::digest_of(told)) mark_told(transaction, who.name);
        }
        if (renewed.member == *member && transaction.empty()) return renewed;
        if (!wanted.request.empty()) log(Level::info, "main", "renewed the certificate of {}", who.title());
        record = renewed.member;
        return renewed;
    }();
    if (!answer) return refuse(responder, answer.error());
    Json text = answer->answer.json();
    if (!record) return responder->respond(api::json_response(200, text));
    // A child never holds what is not on record here.
    const auto* shown = std::any_cast<trust::Shown>(&request.peer->identity);
    options_.members.put(std::move(transaction), shown->identity, *record,
                         [this, responder, text = std::move(text), site = shown->identity.name](Result<store::Number> done) {
                             if (done && !has_news(site)) news_.erase(site);
                             responder->respond(done ? api::json_response(200, text) : api::refusal(done.error()));
                         });
}

void TrustDesk::succession(const http::Request& request, Responding responder) {
    responder->respond(
        api::json_response(200, trust::json(trust::since(request.query.get("key"), options_.membership.succession()))));
}

Json TrustDesk::status() const {
    Json members = Json::array();
    const std::string& key = options_.membership.authority()->key();
    for (const auto& [tag, member] : options_.members.members())
        members.push(Json::object({{"name", tag},
                                   {"follows", member.follows == key},
                                   {"issued", member.issued_by == key},
                                   {"ends", rfc3339(member.ends)},
                                   {"revoked", options_.members.is_revoked(member.key)}}));
    Json revoked = Json::array();
    for (const auto& each : options_.members.revocations())
        revoked.push(Json::object({{"key", each.key}, {"holder", each.holder}, {"reason", each.reason}, {"when", each.when}}));
    return Json::object({{"key", key},
                         {"changes", std::to_string(options_.membership.succession().size())},
                         {"members", std::move(members)},
                         {"revoked", std::move(revoked)}});
}

void TrustDesk::change_authority(const http::Request& request, Responding responder) {
    if (auto may = administrator(request); !may) return refuse(responder, may.error());
    auto body = read_desk_body(request, {{"dryRun", DeskField::Shape::flag}, {"compromised", DeskField::Shape::flag}});
    if (!body) return refuse(responder, body.error());
    if (!options_.membership.parent_authorities().empty())
        return refuse(responder,
                      {Code::unsupported, "only a core changes its authority's key; a site's changes when it joins again"});
    if (flag_of(*body, "dryRun")) return responder->respond(api::json_response(200, status()));
    bool compromised = flag_of(*body, "compromised");
    if (auto done = options_.membership.change_authority(!compromised); !done) return refuse(responder, done.error());
    log(Level::warning, "main", "the authority has a new key: {}{}", options_.membership.authority()->key(),
        compromised ? "; nobody who joined under the old one is believed any more" : "");
    if (auto shown = options_.authority_changed(); !shown) return refuse(responder, shown.error());
    responder->respond(api::json_response(200, status()));
    dismiss_all();
}

/// Those in touch learn of the new key when they come back; not all at once.
void TrustDesk::dismiss_all() {
    dismissing_.clear();
    auto& env = options_.cell.env();
    auto children = options_.cell.peers().children();
    Duration span = 1s + std::chrono::seconds(static_cast<std::int64_t>(children.size()) / dismissed_per_second);
    for (const auto& child : children)
        dismissing_.push_back(env.timers.after(env.chance.up_to(span), [this, peer = child.peer] {
            options_.dismiss(peer.role, peer.name, "this cell's authority has a new key; come back");
        }));
}

std::vector<std::string> TrustDesk::revoke_keys(store::Transaction& transaction, const trust::Identity& who,
                                                const trust::Member& member, const std::string& reason) {
    std::vector<std::string> keys;
    for (const std::string& key : {member.key, member.authority_key}) {
        if (key.empty()) continue;
        options_.members.revoke(transaction,
                                {.key = key, .holder = who.title(), .reason = reason, .when = rfc3339(options_.clock.wall())});
        keys.push_back(key);
    }
    return keys;
}

void TrustDesk::mark_revoked(Peer::Role role, const std::string& name, const std::string& reason) {
    auto object = options_.store.get(cell::seat_object(role, name));
    if (!object) return;
    std::string now = rfc3339(options_.clock.wall());
    if (role == Peer::Role::node)
        set_revoked<model::Node>(options_.store, *object, reason, now);
    else
        set_revoked<model::Site>(options_.store, *object, reason, now);
    if (!reason.empty())
        options_.cell.events().record(*object, cell::Tone::warning, "Revoked", "its keys may not speak here any more: " + reason);
}

void TrustDesk::joined(const trust::Identity& who) {
    auto role = who.role == trust::Role::node ? Peer::Role::node : Peer::Role::site;
    mark_revoked(role, who.name, {});
    // Whoever is linked by that name has keys of before.
    options_.dismiss(role, who.name, who.title() + " joined anew, here or on another machine");
    options_.cell.wake("leavers");
}

void TrustDesk::revoke(const http::Request& request, Responding responder) {
    if (auto may = administrator(request); !may) return refuse(responder, may.error());
    auto body = read_desk_body(request, {{"kind"}, {"name"}, {"reason"}});
    if (!body) return refuse(responder, body.error());
    std::string name(body->text("name")), reason(body->text("reason").substr(0, 512));
    if (reason.empty()) reason = "no reason given";
    bool is_node = body->text("kind") == "node";
    if (!is_node && body->text("kind") != "site")
        return refuse(responder, {Code::invalid, "kind: \"" + std::string(body->text("kind")) + "\" is neither site nor node"});
    if (is_node && !options_.site.empty() && !name.starts_with(options_.site + ".")) name = options_.site + "." + name;
    if (auto problem = model::format_problem("name", name); !problem.empty())
        return refuse(responder, {Code::invalid, "name: \"" + name + "\" " + problem});

    store::Transaction transaction;
    std::vector<std::string> keys;
    std::string note;
    Peer::Role role = is_node ? Peer::Role::node : Peer::Role::site;
    trust::Identity who{.role = is_node ? trust::Role::node : trust::Role::site, .name = name};
    if (auto member = options_.members.member(who)) {
        keys = revoke_keys(transaction, who, *member, reason);
    } else if (const auto* node = is_node ? options_.store.get<model::Node>({model::Kind::node, "", name}) : nullptr) {
        const std::string& site = node->spec().site();
        if (options_.store.notes(node_space).size() >= trust::most_node_revocations)
            return refuse(responder, {Code::exhausted, "name: too many nodes were revoked here; revoke it at its site"});
        transaction.note(node_space, options_.cell.env().chance.id().text(),
                         write_json(Json::object({{"site", site}, {"node", name}, {"reason", reason}})));
        note = "its site " + site + " knows its key, and is told as soon as it is in touch";
        news_.insert(site);
    } else {
        return refuse(responder,
                      {Code::not_found, "name: no " + std::string(is_node ? "node " : "site ") + name + " has joined here"});
    }
    std::string site_of_node;
    if (const auto* node = is_node ? options_.store.get<model::Node>({model::Kind::node, "", name}) : nullptr)
        site_of_node = node->spec().site();
    void_tokens(transaction, name);
    options_.store.commit(std::move(transaction), [=, this](Result<store::Number> done) {
        if (!done) return refuse(responder, done.error());
        mark_revoked(role, name, reason);
        log(Level::warning, "main", "revoked {}: {}", who.title(), reason);
        options_.dismiss(role, name, "its keys were revoked");
        // The site comes back at once, and hears of its node then.
        if (!note.empty()) options_.dismiss(Peer::Role::site, site_of_node, "there is news about its nodes; come back");
        responder->respond(api::json_response(
            200, Json::object({{"name", name}, {"kind", is_node ? "node" : "site"}, {"keys", text_list(keys)}, {"note", note}})));
    });
}

/// Whoever has one that was not used yet would come in by it, under a key that is not revoked.
void TrustDesk::void_tokens(store::Transaction& transaction, const std::string& name) const {
    for (const auto& [id, text] : options_.store.notes(JoinDesk::token_space)) {
        auto json = parse_json(text);
        auto record = json ? trust::TokenRecord::from_json(*json) : std::unexpected(json.error());
        if (record && record->name == name && record->used_by.empty() && transaction.fits(0))
            transaction.erase_note(JoinDesk::token_space, id);
    }
}

/// All there ever were, since the site acts on each once.
std::vector<trust::NodeRevocation> TrustDesk::revocations_of(const std::string& site) const {
    std::vector<trust::NodeRevocation> list;
    for (const auto& [id, text] : options_.store.notes(node_space)) {
        auto json = parse_json(text);
        auto parsed = Id::parse(id);
        if (!json || !parsed || json->text("site") != site) continue;
        list.push_back({.id = *parsed, .node = std::string(json->text("node")), .reason = std::string(json->text("reason"))});
    }
    return list;
}

void TrustDesk::mark_told(store::Transaction& transaction, const std::string& site) const {
    for (const auto& [id, text] : options_.store.notes(node_space)) {
        auto json = parse_json(text);
        if (!json || json->text("site") != site || !json->text("told").empty()) continue;
        json->set("told", rfc3339(options_.clock.wall()));
        std::string marked = write_json(*json);
        if (!transaction.fits(marked.size())) return; // the rest with the next one: until then there is news
        transaction.note(node_space, id, std::move(marked));
    }
}

bool TrustDesk::has_news(const std::string& site) const {
    for (const auto& [id, text] : options_.store.notes(node_space))
        if (auto json = parse_json(text); json && json->text("site") == site && json->text("told").empty()) return true;
    return false;
}

void TrustDesk::revoke_nodes(const std::vector<trust::NodeRevocation>& list, std::function<void(bool news)> done) {
    /// Called when the last of them that has not failed is durable.
    struct Under {
        std::function<void(bool)> done;
        bool news = false, failed = false;
        ~Under() {
            if (!failed) done(news);
        }
    };
    auto under = std::make_shared<Under>();
    under->done = std::move(done);
    for (const auto& each : list) {
        // Once: the node may have joined again with a new key since.
        if (options_.store.note(heard_space, each.id.text())) continue;
        under->news = true;
        trust::Identity who{.role = trust::Role::node, .name = each.node, .site = options_.site};
        store::Transaction transaction;
        transaction.note(heard_space, each.id.text(), each.node);
        if (auto member = options_.members.member(who)) revoke_keys(transaction, who, *member, each.reason);
        options_.store.commit(std::move(transaction), [this, each, under](Result<store::Number> written) {
            if (!written) {
                under->failed = true;
                return log(Level::error, "main", "cannot revoke node {}: {}", each.node, written.error().message);
            }
            log(Level::warning, "main", "the parent revoked node {}: {}", each.node, each.reason);
            mark_revoked(Peer::Role::node, each.node, each.reason);
            options_.dismiss(Peer::Role::node, each.node, "its keys were revoked");
        });
    }
}

} // namespace skerry::main
