// What strangers show at the door: join tokens, join requests, renewals, successions of keys, access tokens, certificates, names
// in certificates.
#include "base/check.h"
#include "env/seeded_chance.h"
#include "seeds.h"
#include "trust/authority.h"
#include "trust/certificate.h"
#include "trust/identity.h"
#include "trust/join.h"
#include "trust/keys/key.h"
#include "trust/renewal.h"
#include "trust/succession.h"
#include "trust/tokens/access_token.h"
#include "trust/tokens/join_token.h"
#include "trust/verify.h"

using namespace skerry;

namespace {

trust::Authority root() {
    auto made = trust::Authority::make_root(trust::Identity::core("core", CellId(Id{1, 1})), WallTime{});
    CHECK(made.has_value());
    return *made;
}

/// Keys of this run's root sign no seed, so whatever is accepted was forged.
const trust::Authority& issuer() {
    static const trust::Authority made = root();
    return made;
}

void judge(std::string_view pem) {
    if (auto read = trust::read_certificate(pem))
        CHECK(trust::check(read->identity).has_value(), "a certificate with a wrong name");
    auto chain = trust::split_chain(pem);
    if (!chain) return;
    CHECK(chain->size() <= 8);
    static const std::vector<std::string> anchors{issuer().certificate_pem()};
    static const std::vector<std::string> pinned{issuer().key()};
    CHECK(!trust::verify_peer(*chain, anchors, {}).has_value(), "a forged chain passes");
    CHECK(!trust::verify_parent(*chain, pinned).has_value(), "a forged parent passes");
}

void requests(std::string_view pem) { (void)trust::request_fingerprint(pem); }

void tokens(std::string_view shown) {
    if (auto token = trust::parse_join_token(shown)) {
        auto again = trust::parse_join_token(trust::text(*token));
        CHECK(again.has_value() && *again == *token, "a join token does not read back");
    }
    if (auto token = trust::AccessToken::parse(shown)) {
        auto again = trust::AccessToken::parse(token->text());
        CHECK(again.has_value() && again->secret == token->secret && again->id == token->id,
              "an access token does not read back");
    }
    if (auto identity = trust::parse_uri(shown)) CHECK(trust::uri_of(*identity) == shown, "a name does not read back");
}

void posted(std::string_view body) {
    auto json = parse_json(body);
    if (!json) return;
    if (auto request = trust::JoinRequest::from_json(*json)) (void)trust::request_fingerprint(request->request);
    if (auto answer = trust::JoinAnswer::from_json(*json)) judge(answer->chain);
    if (auto request = trust::RenewalRequest::from_json(*json)) {
        auto again = trust::RenewalRequest::from_json(request->json());
        CHECK(again.has_value() && again->nonce == request->nonce, "a request for renewal does not read back");
        // Nobody has the key on record here, so nothing may come of it but the time.
        trust::Identity site = trust::Identity::of_site("store-17", CellId(Id{2, 2}));
        auto renewed = trust::renew(site, {.cell = site.cell, .key = std::string(64, '0'), .authority_key = std::string(64, '0')},
                                    *request, issuer(), {}, {.now = {}, .time = WallTime{}});
        CHECK(!renewed || (renewed->answer.chain.empty() && renewed->answer.authority_chain.empty()),
              "a stranger's key is certified");
    }
    if (auto answer = trust::RenewalAnswer::from_json(*json)) {
        CHECK(answer->revocations.size() <= trust::most_node_revocations);
        auto told = trust::verified_time(*answer, Id{1, 1}, CellId(Id{2, 2}), issuer().certificate_pem());
        CHECK(!told || !*told, "a forged time passes");
    }
    if (auto steps = trust::parse_succession(*json)) {
        CHECK(steps->size() <= trust::longest_succession);
        CHECK(!trust::follow(issuer().key(), *steps), "a forged change of keys passes");
    }
    (void)trust::Member::from_json(*json);
    (void)trust::TokenRecord::from_json(*json);
    (void)trust::AccessRecord::from_json(*json);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    env::SeededChance chance(1);
    auto authority = root();
    auto key = trust::make_key();
    CHECK(key.has_value());
    auto request = trust::make_request(*key);
    CHECK(request.has_value());
    auto site = trust::Identity::of_site("store-17", CellId(Id{2, 2}));
    auto chain = authority.issue_chain(*request, {.identity = site, .addresses = {"10.0.0.1"}, .authority = true, .now = {}});
    CHECK(chain.has_value());
    auto token = trust::make_join_token(chance, trust::JoinKind::site, "store-17", authority.key(), {"core:7443", "[::1]:7443"},
                                        WallTime{});
    auto access = trust::make_access_token(chance);
    trust::JoinRequest join{
        .token = token.id, .secret = token.secret, .cell = site.cell, .request = *request, .authority_request = *request};
    trust::JoinAnswer answer{.chain = *chain,
                             .authority_chain = *chain,
                             .parent_authority = authority.certificate_pem(),
                             .parent = authority.identity()};
    auto record = trust::record_of(token, {{"tier", "store"}});
    trust::Succession steps{*trust::succeed(authority, root())};
    trust::RenewalRequest renewal{
        .nonce = Id{1, 1}, .follows = authority.key(), .request = *request, .authority_request = *request};
    trust::RenewalAnswer renewed{.time = WallTime{1'800'000'000, 5},
                                 .signature = "signature",
                                 .life = 24h,
                                 .chain = *chain,
                                 .authority_chain = *chain,
                                 .succession = steps,
                                 .revocations = {{.id = Id{1, 2}, .node = "store-17.box-2", .reason = "sold"}}};
    fuzz::start_from({'\0' + *chain, '\1' + *request, '\2' + trust::text(token), '\2' + access.text(), '\2' + trust::uri_of(site),
                      '\2' + trust::uri_of(trust::Identity::user("admin", {})), '\3' + write_json(join.json()),
                      '\3' + write_json(renewal.json()), '\3' + write_json(renewed.json()), '\3' + write_json(trust::json(steps)),
                      '\3' + write_json(answer.json()), '\3' + write_json(record.json()),
                      '\3' + write_json(trust::record_of(access, "admin", {"system:masters"}).json())},
                     count, arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    fuzz::Input input(bytes, size);
    switch (input.byte() % 4) {
    case 0:
        judge(input.rest());
        break;
    case 1:
        requests(input.rest());
        break;
    case 2:
        tokens(input.rest());
        break;
    default:
        posted(input.rest());
    }
    return 0;
}
