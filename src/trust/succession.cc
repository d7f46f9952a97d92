#include "trust/succession.h"

#include "trust/certificate.h"
#include "trust/openssl.h"

#include <openssl/err.h>

#include <algorithm>

namespace skerry::trust {

namespace {

std::unexpected<Error> refuse_step(std::string why) {
    return fail(Code::unauthenticated, "change of authority: " + std::move(why));
}

/// Whether each of the three says what a step says.
Result<void> check(const Step& step) {
    Certificate from = TRY(read_certificate(step.from) | during("change of authority"));
    Certificate cross = TRY(read_certificate(step.cross) | during("change of authority"));
    Certificate to = TRY(read_certificate(step.to) | during("change of authority"));
    if (!from.is_authority || !cross.is_authority || !to.is_authority)
        return refuse_step("one of its certificates is no authority's");
    if (from.identity != cross.identity || from.identity != to.identity)
        return refuse_step("it leads from " + from.identity.title() + " to another cell");
    if (cross.key_fingerprint != to.key_fingerprint) return refuse_step("the key that was vouched for is another");
    CertificatePtr issuer = TRY(read_x509(step.from)), vouched = TRY(read_x509(step.cross));
    if (X509_verify(vouched.get(), X509_get0_pubkey(issuer.get())) != 1) {
        ERR_clear_error();
        return refuse_step("the old key did not sign the new one");
    }
    return {};
}

Result<std::string> key_of(const std::string& certificate) { return TRY(read_certificate(certificate)).key_fingerprint; }

} // namespace

Result<Step> succeed(const Authority& from, const Authority& to) {
    if (from.key() == to.key())
        return fail(Code::conflict, "the authority of " + from.identity().title() + " has this key already");
    if (from.identity() != to.identity())
        return fail(Code::forbidden, to.identity().title() + " cannot follow " + from.identity().title());
    return Step{.from = from.certificate_pem(), .cross = TRY(from.vouch_for(to)), .to = to.certificate_pem()};
}

Succession since(std::string_view key, const Succession& all) {
    auto first = std::ranges::find_if(all, [&](const Step& step) {
        auto found = key_of(step.from);
        return found && *found == key;
    });
    return {first, all.end()};
}

Result<std::vector<std::string>> follow(std::string_view key, const Succession& all) {
    if (all.size() > longest_succession) return refuse_step("more than " + std::to_string(longest_succession) + " steps");
    Succession steps = since(key, all);
    if (steps.empty()) return refuse_step("nothing leads on from the pinned key " + std::string(key.substr(0, 16)) + "…");
    std::vector<std::string> passed;
    std::string at(key);
    for (const Step& step : steps) {
        TRY_VOID(check(step));
        if (TRY(key_of(step.from)) != at) return refuse_step("there is a gap in it");
        at = TRY(key_of(step.to));
        passed.push_back(step.to);
    }
    return passed;
}

std::string crosses(const Succession& all) {
    std::string text;
    for (std::size_t n = 0; n < std::min<std::size_t>(2, all.size()); ++n) text += all[all.size() - 1 - n].cross;
    return text;
}

Json json(const Succession& all) {
    Json list = Json::array();
    for (const Step& step : all) list.push(Json::object({{"from", step.from}, {"cross", step.cross}, {"to", step.to}}));
    return list;
}

Result<Succession> parse_succession(const Json& json) {
    if (!json.array_items()) return fail(Code::invalid, "succession: " + std::string(json.shape()) + "; wanted a list");
    if (json.array_items()->size() > longest_succession)
        return fail(Code::invalid, "succession: more than " + std::to_string(longest_succession) + " steps");
    Succession all;
    for (const Json& item : *json.array_items()) {
        Step step{
            .from = std::string(item.text("from")), .cross = std::string(item.text("cross")), .to = std::string(item.text("to"))};
        for (const std::string* pem : {&step.from, &step.cross, &step.to})
            if (pem->empty() || pem->size() > 8 << 10)
                return fail(Code::invalid,
                            "succession: a step wants from, cross and to, certificates in PEM of at most 8 KiB each");
        all.push_back(std::move(step));
    }
    return all;
}

} // namespace skerry::trust
