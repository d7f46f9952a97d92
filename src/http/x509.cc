#include "http/x509.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

namespace skerry::http {

namespace {

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Bio reading(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

int no_password(char*, int, int, void*) { return 0; }

} // namespace

std::unexpected<Error> fail_tls(Code code, std::string_view doing) {
    unsigned long number = ERR_get_error();
    const char* reason = number != 0 ? ERR_reason_error_string(number) : nullptr;
    ERR_clear_error();
    return fail(code, std::string(doing) + ": " + (reason != nullptr ? reason : "OpenSSL gave no reason"));
}

Result<std::vector<Certificate>> read_certificates(std::string_view pem) {
    ERR_clear_error();
    std::vector<Certificate> certificates;
    auto bio = reading(pem);
    while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) certificates.emplace_back(next);
    unsigned long number = ERR_peek_last_error();
    if (number != 0 && ERR_GET_REASON(number) != PEM_R_NO_START_LINE) return fail_tls(Code::invalid, "not a PEM certificate");
    ERR_clear_error();
    return certificates;
}

Result<Key> read_key(std::string_view pem) {
    ERR_clear_error();
    auto bio = reading(pem);
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
    if (!key) return fail_tls(Code::invalid, "private key: not an unencrypted PEM key");
    return key;
}

std::string to_pem(X509* certificate) {
    Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate);
    char* bytes = nullptr;
    long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

Result<std::string> fingerprint(const std::string& certificate_pem) {
    auto certificates = TRY(read_certificates(certificate_pem));
    if (certificates.empty()) return fail(Code::invalid, "no PEM certificate to take a fingerprint of");
    unsigned char* der = nullptr;
    int size = i2d_X509(certificates[0].get(), &der);
    if (size <= 0) return fail_tls(Code::invalid, "certificate");
    auto digest = sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return hex(digest);
}

Result<std::string> key_fingerprint(const std::string& certificate_pem) {
    auto certificates = TRY(read_certificates(certificate_pem));
    if (certificates.empty()) return fail(Code::invalid, "no PEM certificate to take a fingerprint of");
    unsigned char* der = nullptr;
    int size = i2d_PUBKEY(X509_get0_pubkey(certificates[0].get()), &der);
    if (size <= 0) return fail_tls(Code::invalid, "key of a certificate");
    auto digest = sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return hex(digest);
}

Result<void> verify_chain(const Chain& chain, const std::string& ca_pem, Validity validity) {
    if (chain.empty()) return fail(Code::unauthenticated, "no certificate was sent");
    std::vector<Certificate> sent;
    for (const auto& pem : chain)
        for (auto& certificate : TRY(read_certificates(pem))) sent.push_back(std::move(certificate));
    if (sent.empty()) return fail(Code::unauthenticated, "no certificate was sent");

    std::unique_ptr<X509_STORE, void (*)(X509_STORE*)> store(X509_STORE_new(), X509_STORE_free);
    for (auto& authority : TRY(read_certificates(ca_pem) | during("certificate authorities")))
        X509_STORE_add_cert(store.get(), authority.get());
    std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> between(sk_X509_new_null(),
                                                                       [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
    for (std::size_t i = 1; i < sent.size(); ++i) sk_X509_push(between.get(), sent[i].get());

    std::unique_ptr<X509_STORE_CTX, void (*)(X509_STORE_CTX*)> check(X509_STORE_CTX_new(), X509_STORE_CTX_free);
    if (X509_STORE_CTX_init(check.get(), store.get(), sent[0].get(), between.get()) != 1)
        return fail_tls(Code::internal, "verify a certificate");
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (validity == Validity::ignored) flags |= X509_V_FLAG_NO_CHECK_TIME;
    X509_STORE_CTX_set_flags(check.get(), flags);
    X509_STORE_CTX_set_depth(check.get(), 8);
    if (X509_verify_cert(check.get()) == 1) return {};
    auto why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
    ERR_clear_error();
    return fail(Code::unauthenticated, std::string("the certificate is not trusted: ") + why);
}

Verify pinned_authorities(std::string ca_pem, Validity validity) {
    return [ca_pem = std::move(ca_pem), validity](const Chain& chain) -> Result<Verdict> {
        TRY_VOID(verify_chain(chain, ca_pem, validity));
        return Verdict{};
    };
}

} // namespace skerry::http
