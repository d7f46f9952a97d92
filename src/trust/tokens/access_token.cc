#include "trust/tokens/access_token.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "trust/keys/secret.h"
#include "trust/tokens/base64url.h"

namespace skerry::trust {

namespace {

constexpr std::string_view access_prefix = "skerry-access.";

std::unexpected<Error> refuse_token(std::string why) { return fail(Code::unauthenticated, "access token: " + std::move(why)); }

} // namespace

std::string AccessToken::text() const { return std::string(access_prefix) + id.text() + "." + base64url(secret); }

Result<AccessToken> AccessToken::parse(std::string_view text) {
    if (text.size() > 256 || !text.starts_with(access_prefix)) return refuse_token("not one of Skerry's");
    text.remove_prefix(access_prefix.size());
    std::size_t dot = text.find('.');
    if (dot == std::string_view::npos) return refuse_token("cut short");
    auto id = Id::parse(text.substr(0, dot));
    auto secret = unbase64url(text.substr(dot + 1));
    if (!id || !secret || secret->size() != secret_size) return refuse_token("cut short or altered");
    return AccessToken{*id, *secret};
}

Json AccessRecord::json() const {
    Json json = Json::object();
    json.set("id", id.text());
    json.set("secretHash", base64(secret_hash));
    json.set("user", user);
    Json list = Json::array();
    for (const std::string& group : groups) list.push(group);
    json.set("groups", std::move(list));
    if (expires) json.set("expires", rfc3339(*expires));
    return json;
}

Result<AccessRecord> AccessRecord::from_json(const Json& json) {
    AccessRecord record;
    record.id = TRY(Id::parse(json.text("id")) | during("id"));
    record.secret_hash = TRY(unbase64(json.text("secretHash")) | during("secretHash"));
    record.user = json.text("user");
    if (const Json* groups = json.find("groups"); groups && groups->array_items()) {
        for (const Json& group : *groups->array_items()) {
            if (!group.string()) return fail(Code::invalid, "groups: one is no string");
            record.groups.push_back(*group.string());
        }
    }
    if (json.find("expires")) record.expires = TRY(parse_rfc3339(json.text("expires")) | during("expires"));
    TRY_VOID(check(Identity::user(record.user, record.groups)));
    return record;
}

AccessToken make_access_token(env::Chance& chance) { return {chance.id(), draw_secret(chance)}; }

AccessRecord record_of(const AccessToken& token, std::string user, std::vector<std::string> groups,
                       std::optional<WallTime> expires) {
    return {token.id, sha256(token.secret), std::move(user), std::move(groups), expires};
}

Result<Identity> check(const AccessRecord& record, const AccessToken& token, WallTime now) {
    if (record.id != token.id || !matches(token.secret, record.secret_hash))
        return refuse_token("unknown; log in again with `skerry login`");
    if (record.expires && now > *record.expires)
        return refuse_token("it ended at " + rfc3339(*record.expires) + "; log in again with `skerry login`");
    return Identity::user(record.user, record.groups);
}

} // namespace skerry::trust
