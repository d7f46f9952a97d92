#include "trust/renewal.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/tokens/json_members.h"
#include "trust/verify.h"

#include <fmt/format.h>

#include <array>

namespace skerry::trust {

namespace {

/// A text that nothing else signs, whatever is put into it.
std::string signed_text(Id nonce, CellId cell, WallTime time) {
    return fmt::format("skerry time 1\n{}\n{}\n{}.{:09}\n", nonce.text(), cell.text(), time.seconds, time.nanos);
}

Result<Duration> duration_member(const Json& json, std::string_view member) {
    std::string text = TRY(text_member(json, member, 32));
    return text.empty() ? Duration{} : TRY(parse_duration(text) | during(member));
}

constexpr std::size_t fingerprint_size = 64;

} // namespace

Json Member::json() const {
    Json json = Json::object({{"cell", cell.text()},
                              {"key", key},
                              {"authorityKey", authority_key},
                              {"ends", rfc3339(ends)},
                              {"issuedBy", issued_by},
                              {"follows", follows}});
    if (!public_key.empty()) json.set("publicKey", public_key);
    return json;
}

Result<Member> Member::from_json(const Json& json) {
    Member member;
    member.cell = CellId(TRY(id_member(json, "cell")));
    member.key = TRY(text_member(json, "key", fingerprint_size));
    member.authority_key = TRY(text_member(json, "authorityKey", fingerprint_size));
    member.ends = TRY(parse_rfc3339(json.text("ends")) | during("ends"));
    member.issued_by = TRY(text_member(json, "issuedBy", fingerprint_size));
    member.follows = TRY(text_member(json, "follows", fingerprint_size));
    member.public_key = TRY(text_member(json, "publicKey", 1024));
    return member;
}

Json RenewalRequest::json() const {
    Json json = Json::object({{"nonce", nonce.text()}, {"follows", follows}});
    if (!request.empty()) json.set("request", request);
    if (!authority_request.empty()) json.set("authorityRequest", authority_request);
    if (!heard.empty()) json.set("heard", heard);
    return json;
}

Result<RenewalRequest> RenewalRequest::from_json(const Json& json) {
    RenewalRequest request;
    request.nonce = TRY(id_member(json, "nonce"));
    request.follows = TRY(text_member(json, "follows", fingerprint_size));
    request.request = TRY(text_member(json, "request"));
    request.authority_request = TRY(text_member(json, "authorityRequest"));
    request.heard = TRY(text_member(json, "heard", fingerprint_size));
    return request;
}

std::string digest_of(const std::vector<NodeRevocation>& list) {
    std::string ids;
    for (const NodeRevocation& each : list) ids += each.id.bytes();
    return hex(sha256(ids));
}

Json RenewalAnswer::json() const {
    Json json = Json::object({{"life", skerry::text(life)}});
    if (time) {
        json.set("time", rfc3339(*time));
        json.set("nanos", std::to_string(time->nanos));
        json.set("signature", base64(signature));
    }
    if (!chain.empty()) json.set("chain", chain);
    if (!authority_chain.empty()) json.set("authorityChain", authority_chain);
    if (!succession.empty()) json.set("succession", trust::json(succession));
    if (!revocations.empty()) {
        Json list = Json::array();
        for (const NodeRevocation& each : revocations)
            list.push(Json::object({{"id", each.id.text()}, {"node", each.node}, {"reason", each.reason}}));
        json.set("revocations", std::move(list));
    }
    return json;
}

Result<RenewalAnswer> RenewalAnswer::from_json(const Json& json) {
    RenewalAnswer answer;
    answer.life = TRY(duration_member(json, "life"));
    if (!json.text("time").empty()) {
        WallTime time = TRY(parse_rfc3339(json.text("time")) | during("time"));
        std::string nanos = TRY(text_member(json, "nanos", 9));
        for (char digit : nanos) {
            if (digit < '0' || digit > '9') return fail(Code::invalid, "nanos: not a number");
            time.nanos = time.nanos * 10 + (digit - '0');
        }
        answer.time = time;
        answer.signature = TRY(unbase64(TRY(text_member(json, "signature", 256))) | during("signature"));
    }
    answer.chain = TRY(text_member(json, "chain"));
    answer.authority_chain = TRY(text_member(json, "authorityChain"));
    if (const Json* steps = json.find("succession")) answer.succession = TRY(parse_succession(*steps));
    if (const Json* list = json.find("revocations")) {
        if (!list->array_items() || list->array_items()->size() > most_node_revocations)
            return fail(Code::invalid,
                        "revocations: wanted a list of at most " + std::to_string(most_node_revocations) + " entries");
        for (const Json& item : *list->array_items())
            answer.revocations.push_back({.id = TRY(id_member(item, "id")),
                                          .node = TRY(text_member(item, "node", 253)),
                                          .reason = TRY(text_member(item, "reason", 1024))});
    }
    return answer;
}

Result<Renewed> renew(const Identity& who, const Member& record, const RenewalRequest& request, const Authority& parent,
                      const Succession& succession, const RenewalTerms& terms) {
    Renewed renewed{.answer = {}, .member = record};
    RenewalAnswer& answer = renewed.answer;
    answer.life = terms.life;
    if (terms.time) {
        answer.time = terms.time;
        answer.signature = TRY(parent.sign(signed_text(request.nonce, who.cell, *terms.time)));
    }
    if (request.follows != parent.key()) answer.succession = since(request.follows, succession);
    renewed.member.follows = request.follows;
    if (request.request.empty()) return renewed;

    auto on_record = [&](std::string_view field, const std::string& pem, const std::string& key) -> Result<void> {
        if (TRY(request_fingerprint(pem) | during(field)) == key) return {};
        return fail(Code::forbidden, std::string(field) + ": its key is not the one on record for " + who.title() +
                                         "; a new key needs a new token (skerry token create)");
    };
    TRY_VOID(on_record("request", request.request, record.key));
    Grant grant{.identity = who, .addresses = {}, .authority = false, .now = terms.now, .validity = terms.life};
    if (who.role == Role::node) grant.addresses = {who.name};
    answer.chain = TRY(parent.issue_chain(request.request, grant));
    if (who.role == Role::site) {
        TRY_VOID(on_record("authorityRequest", request.authority_request, record.authority_key));
        grant.authority = true;
        grant.validity = site_authority_life;
        answer.authority_chain = TRY(parent.issue_chain(request.authority_request, grant));
    }
    renewed.member.ends = TRY(read_certificate(answer.chain)).not_after;
    renewed.member.issued_by = parent.key();
    renewed.member.public_key = TRY(certified_key(answer.chain));
    return renewed;
}

Result<std::optional<WallTime>> verified_time(const RenewalAnswer& answer, Id nonce, CellId cell, std::string_view authority) {
    if (!answer.time) return std::optional<WallTime>{};
    TRY_VOID(verify_signature(authority, signed_text(nonce, cell, *answer.time), answer.signature) | during("the parent's time"));
    return answer.time;
}

Result<void> accept(const Identity& self, const RenewalRequest& request, const RenewalAnswer& answer, std::string_view authority,
                    WallTime mark) {
    std::array anchors{std::string(authority)};
    auto check = [&](std::string_view what, const std::string& chain, const std::string& asked,
                     bool is_authority) -> Result<void> {
        auto refuse = [&](std::string why) { return fail(Code::unauthenticated, std::string(what) + ": " + std::move(why)); };
        if (chain.empty()) return refuse("missing in the parent's answer");
        Certificate got = TRY(read_certificate(chain) | during(what));
        if (got.identity != self || got.is_authority != is_authority) return refuse("it is for " + got.identity.title());
        if (got.key_fingerprint != TRY(request_fingerprint(asked))) return refuse("its key is another");
        if (got.not_after < mark)
            return refuse("it ended at " + rfc3339(got.not_after) + ", which is past: the parent's clock is behind");
        TRY_VOID(verify_issued(TRY(split_chain(chain)), anchors) | during(what));
        return {};
    };
    TRY_VOID(check("new certificate", answer.chain, request.request, false));
    if (self.role == Role::site) TRY_VOID(check("new authority", answer.authority_chain, request.authority_request, true));
    return {};
}

} // namespace skerry::trust
