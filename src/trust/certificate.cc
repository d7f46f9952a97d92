#include "trust/certificate.h"

#include "base/check.h"
#include "trust/identity_of.h"
#include "trust/openssl.h"

#include <arpa/inet.h>

#include <ctime>
#include <optional>

namespace skerry::trust {

namespace {

std::string text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

NamesPtr alternative_names(X509* certificate) {
    return NamesPtr(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

/// The organisations of the subject, as UTF-8.
std::vector<std::string> organisations(X509* certificate) {
    std::vector<std::string> found;
    X509_NAME* subject = X509_get_subject_name(certificate);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at)) >= 0 && found.size() <= 32;)
        found.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    return found;
}

Result<WallTime> time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return fail_openssl(Code::invalid, "certificate: a time of its validity");
    return WallTime{timegm(&parts), 0};
}

} // namespace

Result<Identity> identity_of(X509* certificate) {
    NamesPtr names = alternative_names(certificate);
    std::optional<std::string> uri;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        if (uri) return fail(Code::unauthenticated, "certificate: it names more than one cell or user");
        uri = text_of(name->d.uniformResourceIdentifier);
    }
    if (!uri) return fail(Code::unauthenticated, "certificate: it names no cell and no user of Skerry");
    auto identity = parse_uri(*uri);
    if (!identity) return fail(Code::unauthenticated, "certificate: " + identity.error().message);
    if (identity->role == Role::user) {
        identity->groups = organisations(certificate);
        if (auto fine = check(*identity); !fine) return fail(Code::unauthenticated, "certificate: " + fine.error().message);
    }
    return identity;
}

bool is_authority(X509* certificate) { return X509_check_ca(certificate) == 1; }

Result<WallTime> end_of(X509* certificate) { return time_of(X509_get0_notAfter(certificate)); }

Result<Certificate> read_certificate(std::string_view pem) {
    CertificatePtr x509 = TRY(read_x509(pem));
    Certificate certificate;
    certificate.identity = TRY(identity_of(x509.get()));
    certificate.is_authority = is_authority(x509.get());
    certificate.fingerprint = TRY(fingerprint_of(x509.get()));
    EVP_PKEY* key = X509_get0_pubkey(x509.get());
    if (!key) return fail_openssl(Code::invalid, "certificate: its key");
    certificate.key_fingerprint = TRY(fingerprint_of(key));
    certificate.not_before = TRY(time_of(X509_get0_notBefore(x509.get())));
    certificate.not_after = TRY(end_of(x509.get()));
    NamesPtr names = alternative_names(x509.get());
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) certificate.addresses.push_back(text_of(name->d.dNSName));
        if (name->type != GEN_IPADD) continue;
        std::string bytes = text_of(name->d.iPAddress);
        char text[INET6_ADDRSTRLEN] = {};
        if ((bytes.size() == 4 && inet_ntop(AF_INET, bytes.data(), text, sizeof text)) ||
            (bytes.size() == 16 && inet_ntop(AF_INET6, bytes.data(), text, sizeof text)))
            certificate.addresses.emplace_back(text);
    }
    return certificate;
}

Result<std::vector<std::string>> split_chain(std::string_view pem) {
    constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----", end = "-----END CERTIFICATE-----";
    if (pem.size() > max_pem)
        return fail(Code::invalid, "certificate chain: " + std::to_string(pem.size()) + " bytes are more than the " +
                                       std::to_string(max_pem) + " allowed");
    std::vector<std::string> chain;
    for (std::size_t at = 0; (at = pem.find(begin, at)) != std::string_view::npos;) {
        std::size_t stop = pem.find(end, at);
        if (stop == std::string_view::npos)
            return fail(Code::invalid, "certificate chain: it ends in the middle of a certificate");
        stop += end.size();
        if (chain.size() == 8) return fail(Code::invalid, "certificate chain: more than 8 certificates");
        chain.push_back(std::string(pem.substr(at, stop - at)) + "\n");
        at = stop;
    }
    if (chain.empty()) return fail(Code::invalid, "certificate chain: no certificate in it");
    return chain;
}

} // namespace skerry::trust
