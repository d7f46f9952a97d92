#include "trust/tokens/join_token.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "base/json.h"
#include "trust/identity.h"
#include "trust/keys/secret.h"
#include "trust/tokens/base64url.h"

#include <algorithm>

namespace skerry::trust {

std::string_view name(JoinKind kind) {
    switch (kind) {
    case JoinKind::site:
        return "site";
    case JoinKind::node:
        return "node";
    case JoinKind::region:
        return "region";
    }
    return "site";
}

Result<JoinKind> parse_join_kind(std::string_view text) {
    for (JoinKind kind : {JoinKind::site, JoinKind::node, JoinKind::region})
        if (name(kind) == text) return kind;
    return fail(Code::invalid, "kind: \"" + std::string(text.substr(0, 40)) + "\" is none of site, node and region");
}

JoinToken make_join_token(env::Chance& chance, JoinKind kind, std::string name, std::string authority_key,
                          std::vector<std::string> addresses, WallTime expires) {
    return {kind, std::move(name), std::move(authority_key), std::move(addresses), chance.id(), draw_secret(chance), expires};
}

namespace {

constexpr std::string_view join_prefix = "skerry1.";
constexpr std::size_t max_text = 8192;
constexpr std::size_t checksum_size = 6;

std::string checksum(std::string_view payload) { return sha256(payload).substr(0, checksum_size); }

std::unexpected<Error> refuse_join(std::string why) {
    return fail(Code::invalid,
                "join token: " + std::move(why) + "; copy it again, whole, or make a new one with `skerry token create`");
}

/// What a token that passed its checksum holds; its maker may still be hostile.
Result<JoinToken> read(const Json& json) {
    JoinToken token;
    auto kind = parse_join_kind(json.text("k"));
    if (!kind) return refuse_join("it invites neither a site nor a region nor a node");
    token.kind = *kind;
    token.name = json.text("n");
    TRY_VOID(check(Identity::of_site(token.name, CellId(Id{0, 1}))) | during("join token"));
    auto fingerprint = unbase64url(json.text("c"));
    if (!fingerprint || fingerprint->size() != 32) return refuse_join("it has no fingerprint of an authority");
    token.authority_key = hex(*fingerprint);
    const Json* addresses = json.find("a");
    const Json::Array* list = addresses ? addresses->array_items() : nullptr;
    if (!list || list->empty() || list->size() > 16) return refuse_join("it has not 1 to 16 addresses of the parent");
    for (const Json& address : *list) {
        const std::string* text = address.string();
        if (!text || text->empty() || text->size() > 280 ||
            !std::ranges::all_of(*text, [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != '@'; }) ||
            text->find(':') == std::string::npos)
            return refuse_join("an address of the parent is not host:port");
        token.addresses.push_back(*text);
    }
    auto id = unbase64url(json.text("i"));
    auto secret = unbase64url(json.text("s"));
    if (!id || id->size() != 16 || !secret || secret->size() != secret_size) return refuse_join("its id or secret is missing");
    token.id = TRY(Id::from_bytes(*id));
    token.secret = *secret;
    const Json* expires = json.find("e");
    if (!expires || !expires->integer()) return refuse_join("it has no end");
    token.expires.seconds = *expires->integer();
    return token;
}

} // namespace

std::string text(const JoinToken& token) {
    Json json = Json::object();
    json.set("k", name(token.kind));
    json.set("n", token.name);
    json.set("c", base64url(unhex(token.authority_key).value_or("")));
    Json addresses = Json::array();
    for (const std::string& address : token.addresses) addresses.push(address);
    json.set("a", std::move(addresses));
    json.set("i", base64url(token.id.bytes()));
    json.set("s", base64url(token.secret));
    json.set("e", token.expires.seconds);
    std::string payload = write_json(json);
    return std::string(join_prefix) + base64url(payload + checksum(payload));
}

Result<JoinToken> parse_join_token(std::string_view text) {
    if (text.size() > max_text) return refuse_join("it is longer than any token");
    std::string packed;
    std::ranges::copy_if(text, std::back_inserter(packed),
                         [](char c) { return c != ' ' && c != '\t' && c != '\n' && c != '\r'; });
    if (packed.empty()) return refuse_join("it is empty");
    if (!packed.starts_with(join_prefix)) {
        std::size_t dot = packed.find('.');
        if (packed.starts_with("skerry") && dot != std::string::npos && dot > 6 && dot < 10 &&
            std::ranges::all_of(packed.substr(6, dot - 6), [](char c) { return c >= '0' && c <= '9'; }))
            return fail(Code::unsupported, "join token: version " + packed.substr(6, dot - 6) +
                                               " is not known to this program; use the parent's version of skerry");
        return refuse_join("it does not begin with skerry1.");
    }
    std::string_view body = std::string_view(packed).substr(join_prefix.size());
    // A text cut short may end within a group of four, so that it does not even decode.
    auto bytes = unbase64url(body);
    if (!bytes &&
        body.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != std::string_view::npos)
        return refuse_join("it contains characters that no token has");
    std::string_view payload =
        bytes && bytes->size() > checksum_size ? std::string_view(*bytes).substr(0, bytes->size() - checksum_size) : "";
    if (payload.empty() || checksum(payload) != bytes->substr(payload.size()))
        return refuse_join("it is cut short or altered (" + std::to_string(packed.size()) + " characters arrived)");
    auto json = parse_json(payload, {.bytes = max_text, .depth = 4, .values = 64});
    if (!json || !json->members()) return refuse_join("its content makes no sense");
    return read(*json);
}

} // namespace skerry::trust
