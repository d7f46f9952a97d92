#include "trust/join.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/keys/secret.h"
#include "trust/renewal.h"
#include "trust/tokens/json_members.h"
#include "trust/verify.h"

#include <array>

namespace skerry::trust {

namespace {

Result<std::string> bytes_member(const Json& json, std::string_view member, std::size_t size) {
    auto bytes = unbase64(TRY(text_member(json, member, 256)));
    if (!bytes || bytes->size() != size)
        return fail(Code::invalid, std::string(member) + ": not " + std::to_string(size) + " bytes in base64");
    return *bytes;
}

} // namespace

Json JoinRequest::json() const {
    Json json = Json::object();
    json.set("token", token.text());
    json.set("secret", base64(secret));
    json.set("cell", cell.text());
    json.set("request", request);
    if (!authority_request.empty()) json.set("authorityRequest", authority_request);
    return json;
}

Result<JoinRequest> JoinRequest::from_json(const Json& json) {
    JoinRequest request;
    request.token = TRY(id_member(json, "token"));
    request.secret = TRY(bytes_member(json, "secret", secret_size));
    request.cell = CellId(TRY(id_member(json, "cell")));
    request.request = TRY(text_member(json, "request"));
    request.authority_request = TRY(text_member(json, "authorityRequest"));
    return request;
}

Json JoinAnswer::json() const {
    Json json = Json::object();
    json.set("chain", chain);
    if (!authority_chain.empty()) json.set("authorityChain", authority_chain);
    json.set("parentAuthority", parent_authority);
    json.set("parent", uri_of(parent));
    json.set("life", skerry::text(life));
    return json;
}

Result<JoinAnswer> JoinAnswer::from_json(const Json& json) {
    JoinAnswer answer;
    answer.chain = TRY(text_member(json, "chain"));
    answer.authority_chain = TRY(text_member(json, "authorityChain"));
    answer.parent_authority = TRY(text_member(json, "parentAuthority"));
    answer.parent = TRY(parse_uri(TRY(text_member(json, "parent", 1024))) | during("parent"));
    if (std::string life = TRY(text_member(json, "life", 32)); !life.empty())
        answer.life = TRY(parse_duration(life) | during("life"));
    return answer;
}

Json TokenRecord::json() const {
    Json json = Json::object();
    json.set("id", id.text());
    json.set("secretHash", base64(secret_hash));
    json.set("kind", trust::name(kind));
    json.set("name", name);
    Json list = Json::object();
    for (const auto& [key, value] : labels) list.set(key, value);
    json.set("labels", std::move(list));
    json.set("expires", rfc3339(expires));
    if (object) json.set("object", object.text());
    if (replaces) json.set("replaces", true);
    if (!used_by.empty()) {
        json.set("usedBy", used_by);
        json.set("cell", cell.text());
        json.set("answer", answer.json());
    }
    return json;
}

Result<TokenRecord> TokenRecord::from_json(const Json& json) {
    TokenRecord record;
    record.id = TRY(id_member(json, "id"));
    record.secret_hash = TRY(bytes_member(json, "secretHash", 32));
    record.kind = TRY(parse_join_kind(json.text("kind")));
    record.name = TRY(text_member(json, "name", 253));
    if (const Json* labels = json.find("labels"); labels && labels->members()) {
        for (const auto& [key, value] : *labels->members()) {
            if (!value.string()) return fail(Code::invalid, "labels: " + key + " is no string");
            record.labels[key] = *value.string();
        }
    }
    record.expires = TRY(parse_rfc3339(json.text("expires")) | during("expires"));
    if (json.find("object")) record.object = Uid(TRY(id_member(json, "object")));
    const Json* replaces = json.find("replaces");
    record.replaces = replaces && replaces->boolean() && *replaces->boolean();
    record.used_by = TRY(text_member(json, "usedBy", 64));
    if (record.used_by.empty()) return record;
    record.cell = CellId(TRY(id_member(json, "cell")));
    const Json* answer = json.find("answer");
    if (!answer) return fail(Code::invalid, "answer: missing in a used token");
    record.answer = TRY(JoinAnswer::from_json(*answer) | during("answer"));
    return record;
}

TokenRecord record_of(const JoinToken& token, std::map<std::string, std::string> labels) {
    TokenRecord record;
    record.id = token.id;
    record.secret_hash = sha256(token.secret);
    record.kind = token.kind;
    record.name = token.name;
    record.labels = std::move(labels);
    record.expires = token.expires;
    return record;
}

Result<Redeemed> redeem(const TokenRecord& record, const JoinRequest& request, const Authority& parent_authority,
                        const RedeemTerms& terms) {
    if (request.token != record.id || !matches(request.secret, record.secret_hash))
        return fail(Code::unauthenticated, "the join token's secret is wrong: use the token as it was printed");
    std::string title = std::string(name(record.kind)) + " " + record.name;
    std::string key = TRY(request_fingerprint(request.request) | during("request"));
    bool wants_authority = record.kind != JoinKind::node;
    if (wants_authority != !request.authority_request.empty())
        return fail(Code::invalid, wants_authority ? "authorityRequest: missing; a site brings a request for its own authority"
                                                   : "authorityRequest: a node has no authority of its own; leave it out");
    Identity identity = wants_authority ? Identity::of_site(record.name, request.cell)
                                        : Identity::node(parent_authority.identity().site, record.name, request.cell);
    if (!record.used_by.empty()) {
        bool same = key == record.used_by && request.cell == record.cell;
        if (same && wants_authority)
            same = TRY(request_fingerprint(request.authority_request) | during("authorityRequest")) ==
                   TRY(read_certificate(record.answer.authority_chain)).key_fingerprint;
        if (!same)
            return fail(Code::forbidden, "the join token for " + title + " was used already, with another key (" +
                                             record.used_by.substr(0, 16) + "…): make a new one with `skerry token create`");
        return Redeemed{record, record.answer, identity, true};
    }
    if (terms.judged > record.expires)
        return fail(Code::unauthenticated, "the join token for " + title + " ended at " + rfc3339(record.expires) +
                                               " and it is " + rfc3339(terms.judged) +
                                               " here: make a new one with `skerry token create`");
    Grant grant{.identity = identity, .addresses = {}, .authority = false, .now = terms.now, .validity = terms.life};
    if (identity.role == Role::node) grant.addresses = {record.name};
    JoinAnswer answer;
    answer.chain = TRY(parent_authority.issue_chain(request.request, grant));
    if (wants_authority) {
        if (TRY(request_fingerprint(request.authority_request) | during("authorityRequest")) == key)
            return fail(Code::invalid, "authorityRequest: it has the same key as request; an authority needs one of its own");
        grant.authority = true;
        grant.validity = site_authority_life;
        answer.authority_chain = TRY(parent_authority.issue_chain(request.authority_request, grant));
    }
    answer.parent_authority = parent_authority.certificate_pem();
    answer.parent = parent_authority.identity();
    answer.life = terms.life;
    TokenRecord used = record;
    used.used_by = key;
    used.cell = request.cell;
    used.answer = answer;
    return Redeemed{std::move(used), std::move(answer), std::move(identity), false};
}

Result<Identity> accept(const JoinToken& token, const JoinRequest& request, const JoinAnswer& answer) {
    Certificate authority = TRY(read_certificate(answer.parent_authority) | during("the parent's authority"));
    if (authority.key_fingerprint != token.authority_key)
        return fail(Code::unauthenticated, "the answer is from authority " + authority.key_fingerprint + ", the token names " +
                                               token.authority_key + ": this is another fleet, or someone in between");
    std::array anchors{answer.parent_authority};
    auto chain = TRY(split_chain(answer.chain));
    Identity identity = TRY(verify_peer(chain, anchors, {}) | during("the certificate received"));
    Certificate own = TRY(read_certificate(answer.chain));
    auto mismatch = [](std::string what) {
        return fail(Code::corrupt, "the certificate received is not the one asked for: " + std::move(what));
    };
    if (own.key_fingerprint != TRY(request_fingerprint(request.request))) return mismatch("its key is another");
    Role role = token.kind == JoinKind::node ? Role::node : Role::site;
    if (identity.role != role || identity.name != token.name || identity.cell != request.cell)
        return mismatch("it is for " + identity.title());
    if (token.kind != JoinKind::node) {
        Certificate granted = TRY(read_certificate(answer.authority_chain) | during("the authority received"));
        if (!granted.is_authority || granted.identity != identity)
            return mismatch("the authority is for " + granted.identity.title());
        if (granted.key_fingerprint != TRY(request_fingerprint(request.authority_request)))
            return mismatch("the authority's key is another");
    }
    return identity;
}

} // namespace skerry::trust
