#include "trust/authority.h"

#include "base/check.h"
#include "trust/certificate.h"
#include "trust/identity_of.h"
#include "trust/keys/key.h"
#include "trust/openssl.h"

#include <openssl/rand.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <set>

namespace skerry::trust {

namespace {

constexpr std::int64_t begin_of_2020 = 1'577'836'800;
constexpr std::int64_t begin_of_2026 = 1'767'225'600;
/// The last second that ASN.1 and every reader of it can tell.
constexpr std::int64_t end_of_9999 = 253'402'300'799;

std::string_view without_port(std::string_view address) {
    if (address.starts_with('['))
        return address.substr(1, address.find(']') == std::string_view::npos ? 0 : address.find(']') - 1);
    // More than one colon is a bare IPv6 address.
    std::size_t colon = address.find(':');
    if (colon == std::string_view::npos || address.find(':', colon + 1) != std::string_view::npos) return address;
    return address.substr(0, colon);
}

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() <= 253 && text.front() != '.' && text.front() != '-' && text.back() != '-' &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                      c == '_';
           });
}

void add_name(GENERAL_NAMES* names, int type, std::string_view text) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_STRING* value = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    CHECK(name && value && ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1);
    GENERAL_NAME_set0_value(name, type, value);
    CHECK(sk_GENERAL_NAME_push(names, name) > 0);
}

Result<void> add_address(GENERAL_NAMES* names, std::string_view address) {
    std::string host(without_port(address));
    std::array<char, 16> binary{};
    if (inet_pton(AF_INET, host.c_str(), binary.data()) == 1) {
        add_name(names, GEN_IPADD, {binary.data(), 4});
    } else if (inet_pton(AF_INET6, host.c_str(), binary.data()) == 1) {
        add_name(names, GEN_IPADD, {binary.data(), 16});
    } else if (is_host_name(host)) {
        add_name(names, GEN_DNS, host);
    } else {
        return fail(Code::invalid,
                    "address \"" + std::string(address.substr(0, 80)) + "\" is neither a host name nor an IP address");
    }
    return {};
}

Result<void> add_alternative_names(X509* certificate, const Grant& grant) {
    NamesPtr names(GENERAL_NAMES_new());
    CHECK(names);
    add_name(names.get(), GEN_URI, uri_of(grant.identity));
    if (grant.identity.role != Role::user && !grant.authority) {
        if (grant.addresses.size() > 64) return fail(Code::invalid, "addresses: more than 64");
        std::set<std::string_view> distinct{"localhost", "127.0.0.1", "::1"};
        for (const std::string& address : grant.addresses) distinct.insert(without_port(address));
        for (std::string_view address : distinct) TRY_VOID(add_address(names.get(), address));
    }
    CHECK(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1);
    return {};
}

void add_subject_field(X509_NAME* subject, int nid, std::string_view text) {
    CHECK(X509_NAME_add_entry_by_NID(subject, nid, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()), -1, 0) == 1);
}

void set_subject(X509* certificate, const Grant& grant) {
    X509_NAME* subject = X509_get_subject_name(certificate);
    const Identity& identity = grant.identity;
    if (identity.role == Role::user) {
        for (const std::string& group : identity.groups) add_subject_field(subject, NID_organizationName, group);
    } else {
        add_subject_field(subject, NID_organizationName, "skerry:" + std::string(name(identity.role)) + "s");
    }
    // X.520 allows 64 characters here; the whole name is in the URI. Authorities differ from their cell's other certificates by
    // the cell's id, so that no two authorities of a fleet share a subject.
    if (grant.authority)
        add_subject_field(subject, NID_commonName, "skerry authority " + identity.cell.text());
    else
        add_subject_field(subject, NID_commonName, identity.name.substr(0, 64));
}

void add_extension(X509* certificate, X509V3_CTX& context, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    CHECK(extension && X509_add_ext(certificate, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

std::int64_t add_seconds(std::int64_t start, Duration validity) {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(validity).count();
    return std::min(end_of_9999, start + std::clamp<std::int64_t>(seconds, 0, end_of_9999 - start));
}

/// Everything but the signature's issuer-dependent half; `issuer` null makes a root.
Result<CertificatePtr> build(EVP_PKEY* key, const Grant& grant, X509* issuer, EVP_PKEY* issuer_key) {
    TRY_VOID(check(grant.identity));
    CertificatePtr certificate(X509_new());
    CHECK(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
    std::array<unsigned char, 16> serial{};
    if (RAND_bytes(serial.data(), serial.size()) != 1) return fail_openssl(Code::internal, "draw a serial number");
    serial[0] = (serial[0] & 0x7f) | 0x40; // positive, 16 bytes long
    BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
    CHECK(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get())));
    BN_free(number);

    std::int64_t start = std::clamp(grant.now.seconds, begin_of_2026, end_of_9999);
    std::int64_t end = add_seconds(start, grant.validity);
    CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate.get()), begin_of_2020) &&
          ASN1_TIME_set(X509_getm_notAfter(certificate.get()), end));

    set_subject(certificate.get(), grant);
    CHECK(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer ? issuer : certificate.get())) == 1);
    CHECK(X509_set_pubkey(certificate.get(), key) == 1);

    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer ? issuer : certificate.get(), certificate.get(), nullptr, nullptr, 0);
    add_extension(certificate.get(), context, NID_subject_key_identifier, "hash");
    if (issuer) add_extension(certificate.get(), context, NID_authority_key_identifier, "keyid:always");
    if (grant.authority) {
        add_extension(certificate.get(), context, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate.get(), context, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add_extension(certificate.get(), context, NID_basic_constraints, "critical,CA:FALSE");
        add_extension(certificate.get(), context, NID_key_usage, "critical,digitalSignature");
        add_extension(certificate.get(), context, NID_ext_key_usage,
                      grant.identity.role == Role::user ? "clientAuth" : "serverAuth,clientAuth");
    }
    TRY_VOID(add_alternative_names(certificate.get(), grant));
    if (X509_sign(certificate.get(), issuer_key, EVP_sha256()) <= 0) return fail_openssl(Code::internal, "sign a certificate");
    return certificate;
}

/// What `verify_peer` would refuse is not issued either.
Result<void> check_reach(const Identity& issuer, const Grant& grant) {
    const Identity& wanted = grant.identity;
    auto refuse = [&] {
        return fail(Code::forbidden, "the authority of " + issuer.title() + " does not issue for " + wanted.title() +
                                         (wanted.role == Role::node ? " of site " + wanted.site : ""));
    };
    if (grant.authority && wanted.role != Role::site) return refuse();
    if (wanted.role == Role::node && wanted.site != issuer.site) return refuse();
    if (wanted.role == Role::core && wanted != issuer) return refuse();
    return {};
}

} // namespace

Result<Authority> Authority::make_root(const Identity& core, WallTime now) {
    if (core.role != Role::core) return fail(Code::invalid, core.title() + " cannot be the root: only a core can");
    std::string key_pem = TRY(make_key());
    KeyPtr key = TRY(read_key(key_pem));
    Grant grant{.identity = core, .addresses = {}, .authority = true, .now = now, .validity = 24h * 36525};
    CertificatePtr certificate = TRY(build(key.get(), grant, nullptr, key.get()));
    return open(pem_of(certificate.get()), std::move(key_pem));
}

Result<Authority> Authority::open(std::string chain_pem, std::string key_pem) {
    Certificate own = TRY(read_certificate(chain_pem));
    if (!own.is_authority) return fail(Code::invalid, "the certificate of " + own.identity.title() + " is not an authority's");
    if (TRY(trust::key_fingerprint(key_pem)) != own.key_fingerprint)
        return fail(Code::corrupt,
                    "the authority's certificate (key " + own.key_fingerprint + ") and its private key do not belong together");
    Authority authority;
    authority.identity_ = own.identity;
    authority.key_ = own.key_fingerprint;
    authority.certificate_pem_ = TRY(split_chain(chain_pem)).front();
    authority.chain_pem_ = std::move(chain_pem);
    authority.key_pem_ = std::move(key_pem);
    return authority;
}

Result<std::string> Authority::issue(std::string_view request_pem, const Grant& grant) const {
    TRY_VOID(check_reach(identity_, grant));
    RequestPtr request = TRY(read_request(request_pem));
    CertificatePtr own = TRY(read_x509(certificate_pem_));
    KeyPtr key = TRY(read_key(key_pem_));
    return pem_of(TRY(build(X509_REQ_get0_pubkey(request.get()), grant, own.get(), key.get())).get());
}

Result<std::string> Authority::issue_chain(std::string_view request_pem, const Grant& grant) const {
    // Crosses before what signed itself: some verifiers take the first issuer that fits.
    return TRY(issue(request_pem, grant)) + crosses_pem_ + chain_pem_;
}

Result<std::string> Authority::vouch_for(const Authority& next) const {
    CertificatePtr own = TRY(read_x509(certificate_pem_)), other = TRY(read_x509(next.certificate_pem_));
    KeyPtr key = TRY(read_key(key_pem_));
    Grant grant{.identity = identity_, .addresses = {}, .authority = true, .now = {}, .validity = 24h * 36525};
    return pem_of(TRY(build(X509_get0_pubkey(other.get()), grant, own.get(), key.get())).get());
}

Result<std::string> Authority::sign(std::string_view text) const { return trust::sign(key_pem_, text); }

} // namespace skerry::trust
