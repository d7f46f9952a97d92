#include "trust/verify.h"

#include "base/check.h"
#include "trust/identity_of.h"
#include "trust/openssl.h"

#include <openssl/err.h>

#include <algorithm>
#include <vector>

namespace skerry::trust {

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

/// Who is at the ends of an accepted path.
struct Path {
    Identity leaf;
    Identity anchor;
    std::string leaf_key;
    WallTime leaf_end;
};

Result<void> check_end(X509* certificate, const Judgement& judgement) {
    WallTime end = TRY(end_of(certificate));
    if (judgement.at && end < *judgement.at)
        return refuse_chain("its certificate expired at " + rfc3339(end) + ", and it is " + rfc3339(*judgement.at) + " here");
    if (end < judgement.mark) return refuse_chain("its certificate ended at " + rfc3339(end) + ", which is known to be past");
    return {};
}

/// OpenSSL checks signatures, constraints and uses along the path; the rules of names are ours.
Result<Path> walk(const Parsed& chain, const Parsed& anchors, const Judgement& judgement) {
    StorePtr store(X509_STORE_new());
    StoreContextPtr context(X509_STORE_CTX_new());
    ReferencesPtr others(sk_X509_new_null());
    CHECK(store && context && others);
    for (const auto& anchor : anchors.owned) CHECK(X509_STORE_add_cert(store.get(), anchor.get()) == 1);
    for (std::size_t i = 1; i < chain.owned.size(); ++i) CHECK(sk_X509_push(others.get(), chain.owned[i].get()) > 0);
    CHECK(X509_STORE_CTX_init(context.get(), store.get(), chain.owned.front().get(), others.get()) == 1);
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    // Ends are looked at below: an anchor's does not count. (Everything of ours begins in 2020.)
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME);
    X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(longest_chain));
    X509_VERIFY_PARAM_set_auth_level(parameters, 1);
    X509_VERIFY_PARAM_set_purpose(parameters, judgement.use == Use::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
    if (X509_verify_cert(context.get()) != 1) {
        std::string why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
        ERR_clear_error();
        return refuse_chain("its certificate does not lead to a trusted authority: " + why);
    }

    STACK_OF(X509)* path = X509_STORE_CTX_get0_chain(context.get());
    int length = sk_X509_num(path);
    std::vector<Identity> names;
    for (int i = 0; i < length; ++i) {
        X509* certificate = sk_X509_value(path, i);
        if (judgement.revoked) {
            std::string key = TRY(fingerprint_of(X509_get0_pubkey(certificate)));
            if (judgement.revoked(key)) return refuse_chain("key " + key + " was revoked", Code::gone);
        }
        if (i + 1 < length) TRY_VOID(check_end(certificate, judgement));
        names.push_back(TRY(identity_of(certificate)));
    }
    const Identity& leaf = names.front();
    const Identity& anchor = names.back();
    if (is_authority(sk_X509_value(path, 0))) return refuse_chain("it shows an authority's certificate as its own");
    if (length == 2) {
        if (leaf.role == Role::node && leaf.site != anchor.site)
            return refuse_chain("the authority of " + anchor.title() + " does not speak for nodes of site " + leaf.site);
        if (leaf.role == Role::core && leaf != anchor)
            return refuse_chain("the authority of " + anchor.title() + " does not speak for " + leaf.title());
    } else if (length == 3) {
        const Identity& issuer = names[1];
        bool itself = leaf.role == Role::site && leaf == issuer;
        bool own_node = leaf.role == Role::node && issuer.role == Role::site && leaf.site == issuer.site;
        if (!itself && !own_node)
            return refuse_chain("the authority of " + issuer.title() + " does not speak for " + leaf.title() + " here");
    } else {
        return refuse_chain("a path of " + std::to_string(length) + " certificates is not one that counts");
    }
    X509* own = sk_X509_value(path, 0);
    return Path{leaf, anchor, TRY(fingerprint_of(X509_get0_pubkey(own))), TRY(end_of(own))};
}

Result<Path> judge(Chain chain, Chain anchors, const Judgement& judgement) {
    if (chain.empty()) return refuse_chain("it shows no certificate");
    if (chain.size() > longest_chain)
        return refuse_chain("it shows more than " + std::to_string(longest_chain) + " certificates");
    if (anchors.empty()) return refuse_chain("there is no authority to trust yet");
    Parsed peers = TRY(Parsed::read(chain));
    Parsed trusted = TRY(Parsed::read(anchors));
    return walk(peers, trusted, judgement);
}

} // namespace

Result<Identity> verify_peer(Chain chain, std::span<const std::string> anchors, const Judgement& judgement) {
    return TRY(judge(chain, anchors, judgement)).leaf;
}

Result<Shown> examine_peer(Chain chain, std::span<const std::string> anchors, const Judgement& judgement) {
    Path path = TRY(judge(chain, anchors, judgement));
    return Shown{path.leaf, path.leaf_key, path.leaf_end};
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

Result<Identity> verify_parent(Chain chain, std::span<const std::string> pinned_keys, WallTime mark) {
    if (chain.size() > longest_chain)
        return refuse_chain("it shows more than " + std::to_string(longest_chain) + " certificates");
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
    Path path = TRY(judge(chain, anchors, {.use = Use::server, .at = {}, .mark = mark, .revoked = {}}));
    if (path.leaf.cell != path.anchor.cell)
        return refuse_chain(path.leaf.title() + " is not the parent: the pinned authority belongs to " + path.anchor.title());
    return path.leaf;
}

Result<Identity> verify_renewal(Chain chain, std::span<const std::string> anchors, std::string_view key_fingerprint_on_record) {
    Path path = TRY(judge(chain, anchors, {}));
    if (path.leaf_key != key_fingerprint_on_record)
        return refuse_chain("the key " + path.leaf_key + " is not the one on record for " + path.leaf.title());
    return path.leaf;
}

} // namespace skerry::trust
