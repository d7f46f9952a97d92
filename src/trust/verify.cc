#include "trust/verify.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"
#include "trust/identity_of.h"
#include "trust/openssl.h"

#include <openssl/err.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace skerry::trust {

/// What follows from a chain and its anchors alone. From the leaf to the anchor.
struct Path {
    struct Step {
        Identity identity;
        std::string key; ///< fingerprint
        WallTime ends;
    };
    std::vector<Step> steps;
    bool leaf_is_authority = false;
    Use use = Use::client;
    std::string trusted; ///< name of the anchors

    const Step& leaf() const { return steps.front(); }
    const Step& anchor() const { return steps.back(); }
};

std::shared_ptr<const Path> Walked::find(const std::string& key) {
    if (auto at = recent_.find(key); at != recent_.end()) return at->second;
    auto at = older_.find(key);
    if (at == older_.end()) return nullptr;
    auto path = at->second;
    keep(key, path);
    return path;
}

void Walked::keep(std::string key, std::shared_ptr<const Path> path) {
    if (recent_.size() >= most_) older_ = std::exchange(recent_, {});
    recent_.insert_or_assign(std::move(key), std::move(path));
}

namespace {

using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;

constexpr std::size_t longest_chain = 6;

[[nodiscard]] std::unexpected<Error> refuse_chain(std::string why, Code code = Code::unauthenticated) {
    return fail(code, std::move(why));
}

struct Parsed {
    std::vector<CertificatePtr> owned;
    static Result<Parsed> read(Chain pems) {
        Parsed parsed;
        for (const std::string& pem : pems) {
            auto certificate = read_x509(pem);
            if (!certificate) return refuse_chain(certificate.error().message);
            parsed.owned.push_back(std::move(*certificate));
        }
        return parsed;
    }
};

Result<void> check_end(WallTime end, const Judgement& judgement) {
    if (judgement.at && end < *judgement.at)
        return refuse_chain("its certificate expired at " + rfc3339(end) + ", and it is " + rfc3339(*judgement.at) + " here");
    if (end < judgement.mark) return refuse_chain("its certificate ended at " + rfc3339(end) + ", which is known to be past");
    return {};
}

/// OpenSSL checks signatures, constraints and uses along the path; the rules of names are ours.
Result<Path> walk(const Parsed& chain, const Parsed& anchors, Use use) {
    StorePtr store(X509_STORE_new());
    StoreContextPtr context(X509_STORE_CTX_new());
    ReferencesPtr others(sk_X509_new_null());
    CHECK(store && context && others);
    for (const auto& anchor : anchors.owned) CHECK(X509_STORE_add_cert(store.get(), anchor.get()) == 1);
    for (std::size_t i = 1; i < chain.owned.size(); ++i) CHECK(sk_X509_push(others.get(), chain.owned[i].get()) > 0);
    CHECK(X509_STORE_CTX_init(context.get(), store.get(), chain.owned.front().get(), others.get()) == 1);
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    // Ends are looked at by `check`: an anchor's does not count. (Everything of ours begins in 2020.)
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME);
    X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(longest_chain));
    X509_VERIFY_PARAM_set_auth_level(parameters, 1);
    X509_VERIFY_PARAM_set_purpose(parameters, use == Use::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
    if (X509_verify_cert(context.get()) != 1) {
        std::string why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
        ERR_clear_error();
        return refuse_chain("its certificate does not lead to a trusted authority: " + why);
    }

    STACK_OF(X509)* found = X509_STORE_CTX_get0_chain(context.get());
    Path path;
    for (int i = 0; i < sk_X509_num(found); ++i) {
        X509* certificate = sk_X509_value(found, i);
        path.steps.push_back(
            {.identity = {}, .key = TRY(fingerprint_of(X509_get0_pubkey(certificate))), .ends = TRY(end_of(certificate))});
        auto identity = identity_of(certificate);
        if (!identity) return std::unexpected(identity.error());
        path.steps.back().identity = std::move(*identity);
    }
    path.leaf_is_authority = is_authority(sk_X509_value(found, 0));
    path.use = use;
    return path;
}

/// What is asked of a path each time, also of one that is remembered.
Result<void> check(const Path& path, const Judgement& judgement) {
    for (const auto& step : path.steps) {
        if (judgement.revoked && judgement.revoked(step.key)) return refuse_chain("key " + step.key + " was revoked", Code::gone);
        if (&step != &path.steps.back()) TRY_VOID(check_end(step.ends, judgement));
    }
    const Identity& leaf = path.leaf().identity;
    const Identity& anchor = path.anchor().identity;
    if (path.leaf_is_authority) return refuse_chain("it shows an authority's certificate as its own");
    if (path.steps.size() == 2) {
        if (leaf.role == Role::node && leaf.site != anchor.site)
            return refuse_chain("the authority of " + anchor.title() + " does not speak for nodes of site " + leaf.site);
        if (leaf.role == Role::core && leaf != anchor)
            return refuse_chain("the authority of " + anchor.title() + " does not speak for " + leaf.title());
    } else if (path.steps.size() == 3) {
        const Identity& issuer = path.steps[1].identity;
        bool itself = leaf.role == Role::site && leaf == issuer;
        bool own_node = leaf.role == Role::node && issuer.role == Role::site && leaf.site == issuer.site;
        if (!itself && !own_node)
            return refuse_chain("the authority of " + issuer.title() + " does not speak for " + leaf.title() + " here");
    } else {
        return refuse_chain("a path of " + std::to_string(path.steps.size()) + " certificates is not one that counts");
    }
    return {};
}

/// One name for all that a path follows from: two that differ in a byte anywhere differ in it.
std::string name_of(std::string_view what, Chain chain, std::span<const std::string> trusted) {
    std::string text(what);
    for (Chain list : {chain, Chain(trusted)}) {
        text += big_endian(list.size());
        for (const std::string& each : list) text += big_endian(each.size()) + each;
    }
    return sha256(text);
}

std::string name_of(Use use, Chain chain, Chain anchors) {
    return name_of(use == Use::client ? "client" : "server", chain, anchors);
}

Result<std::shared_ptr<const Path>> judge(Chain chain, Chain anchors, const Judgement& judgement) {
    if (chain.empty()) return refuse_chain("it shows no certificate");
    if (chain.size() > longest_chain)
        return refuse_chain("it shows more than " + std::to_string(longest_chain) + " certificates");
    if (anchors.empty()) return refuse_chain("there is no authority to trust yet");
    std::string name;
    std::shared_ptr<const Path> path;
    if (judgement.walked) {
        name = name_of(judgement.use, chain, anchors);
        path = judgement.walked->find(name);
    }
    bool known = path != nullptr;
    if (!known) {
        Parsed peers = TRY(Parsed::read(chain));
        Parsed trusted = TRY(Parsed::read(anchors));
        Path walked = TRY(walk(peers, trusted, judgement.use));
        walked.trusted = name_of("anchors", {}, anchors);
        path = std::make_shared<const Path>(std::move(walked));
    }
    TRY_VOID(check(*path, judgement));
    if (!known && judgement.walked) judgement.walked->keep(std::move(name), path);
    return path;
}

Shown shown(const Path& path, std::string name) {
    return {.identity = path.leaf().identity, .key = path.leaf().key, .ends = path.leaf().ends, .name = std::move(name)};
}

/// Those of the chain whose keys are pinned.
Result<std::vector<std::string>> pinned_of(Chain chain, std::span<const std::string> pinned_keys) {
    std::vector<std::string> anchors;
    for (const std::string& pem : chain) {
        auto certificate = read_x509(pem);
        if (!certificate) return refuse_chain(certificate.error().message);
        EVP_PKEY* key = X509_get0_pubkey(certificate->get());
        if (!key || !is_authority(certificate->get())) continue;
        if (std::ranges::find(pinned_keys, TRY(fingerprint_of(key))) != pinned_keys.end()) anchors.push_back(pem);
    }
    if (anchors.empty())
        return refuse_chain("none of its certificates is the pinned authority " +
                            (pinned_keys.empty() ? std::string("(none is pinned)") : pinned_keys.front()) +
                            ": this is another fleet, or someone in between");
    return anchors;
}

} // namespace

Result<Identity> verify_peer(Chain chain, std::span<const std::string> anchors, const Judgement& judgement) {
    return TRY(judge(chain, anchors, judgement))->leaf().identity;
}

Result<Shown> examine_peer(Chain chain, std::span<const std::string> anchors, const Judgement& judgement) {
    auto path = TRY(judge(chain, anchors, judgement));
    return shown(*path, judgement.walked ? name_of(judgement.use, chain, anchors) : std::string());
}

Result<Shown> examine_again(std::string_view name, std::span<const std::string> anchors, const Judgement& judgement) {
    auto path = judgement.walked ? judgement.walked->find(std::string(name)) : nullptr;
    if (!path || path->use != judgement.use || path->trusted != name_of("anchors", {}, anchors))
        return fail(Code::not_found, "that chain is not remembered");
    TRY_VOID(check(*path, judgement));
    return shown(*path, std::string(name));
}

Result<void> verify_issued(Chain chain, std::span<const std::string> anchors) {
    if (chain.empty()) return refuse_chain("it shows no certificate");
    CertificatePtr issued = TRY(read_x509(chain.front()));
    for (const std::string& anchor : anchors) {
        CertificatePtr issuer = TRY(read_x509(anchor));
        if (is_authority(issuer.get()) && X509_verify(issued.get(), X509_get0_pubkey(issuer.get())) == 1) return {};
        ERR_clear_error();
    }
    return refuse_chain("no authority that is trusted here issued it");
}

Result<void> verify_signature(std::string_view certificate_pem, std::string_view text, std::string_view signature) {
    CertificatePtr certificate = TRY(read_x509(certificate_pem));
    DigestContextPtr context(EVP_MD_CTX_new());
    auto bytes = [](std::string_view of) { return reinterpret_cast<const unsigned char*>(of.data()); };
    if (!context ||
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, X509_get0_pubkey(certificate.get())) != 1 ||
        EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()) != 1) {
        ERR_clear_error();
        return refuse_chain("it is not signed by the authority that is trusted here");
    }
    return {};
}

Result<Identity> verify_parent(Chain chain, std::span<const std::string> pinned_keys, WallTime mark, Walked* walked) {
    if (chain.size() > longest_chain)
        return refuse_chain("it shows more than " + std::to_string(longest_chain) + " certificates");
    Judgement judgement{.use = Use::server, .at = {}, .mark = mark, .revoked = {}, .walked = nullptr};
    std::string name = walked ? name_of("parent", chain, pinned_keys) : std::string();
    std::shared_ptr<const Path> path = walked ? walked->find(name) : nullptr;
    if (path) {
        TRY_VOID(check(*path, judgement));
    } else {
        auto anchors = TRY(pinned_of(chain, pinned_keys));
        path = TRY(judge(chain, anchors, judgement));
        if (walked) walked->keep(std::move(name), path);
    }
    const Identity& leaf = path->leaf().identity;
    const Identity& anchor = path->anchor().identity;
    if (leaf.cell != anchor.cell)
        return refuse_chain(leaf.title() + " is not the parent: the pinned authority belongs to " + anchor.title());
    return leaf;
}

Result<Identity> verify_renewal(Chain chain, std::span<const std::string> anchors, std::string_view key_fingerprint_on_record) {
    auto path = TRY(judge(chain, anchors, {}));
    const auto& leaf = path->leaf();
    if (leaf.key != key_fingerprint_on_record)
        return refuse_chain("the key " + leaf.key + " is not the one on record for " + leaf.identity.title());
    return leaf.identity;
}

} // namespace skerry::trust
