#include "trust/openssl.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace skerry::trust {

std::unexpected<Error> fail_openssl(Code code, std::string_view doing) {
    unsigned long number = ERR_peek_last_error();
    char text[200] = "no reason given";
    if (number) ERR_error_string_n(number, text, sizeof text);
    ERR_clear_error();
    return fail(code, std::string(doing) + ": " + text);
}

namespace {

int no_pass_phrase(char*, int, int, void*) { return -1; }

Result<BioPtr> source(std::string_view pem, std::string_view what) {
    if (pem.size() > max_pem)
        return fail(Code::invalid, std::string(what) + ": " + std::to_string(pem.size()) + " bytes are more than the " +
                                       std::to_string(max_pem) + " allowed");
    BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    CHECK(bio);
    return bio;
}

Result<std::string> digest_of_der(int size, unsigned char* der) {
    if (size <= 0) return fail_openssl(Code::invalid, "encode as DER");
    std::string digest = hex(sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}));
    OPENSSL_free(der);
    return digest;
}

} // namespace

Result<KeyPtr> read_key(std::string_view pem) {
    BioPtr bio = TRY(source(pem, "private key"));
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
    if (!key) return fail_openssl(Code::invalid, "private key: not one in PEM");
    return key;
}

Result<CertificatePtr> read_x509(std::string_view pem) {
    BioPtr bio = TRY(source(pem, "certificate"));
    CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
    if (!certificate) return fail_openssl(Code::invalid, "certificate: not one in PEM");
    return certificate;
}

Result<RequestPtr> read_request(std::string_view pem) {
    BioPtr bio = TRY(source(pem, "certificate request"));
    RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, no_pass_phrase, nullptr));
    if (!request) return fail_openssl(Code::invalid, "certificate request: not one in PEM");
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (!key || !is_p256(key)) {
        ERR_clear_error();
        return fail(Code::invalid, "certificate request: its key is not on P-256");
    }
    if (X509_REQ_verify(request.get(), key) != 1)
        return fail_openssl(Code::invalid, "certificate request: its signature does not fit its key");
    return request;
}

std::string pem_of(X509* certificate) {
    BioPtr bio(BIO_new(BIO_s_mem()));
    CHECK(bio && PEM_write_bio_X509(bio.get(), certificate) == 1);
    char* text = nullptr;
    long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

bool is_p256(EVP_PKEY* key) {
    char group[64] = {};
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, nullptr) == 1 &&
           std::string_view(group) == "prime256v1";
}

Result<std::string> fingerprint_of(EVP_PKEY* key) {
    unsigned char* der = nullptr;
    int size = i2d_PUBKEY(key, &der);
    return digest_of_der(size, der);
}

Result<std::string> fingerprint_of(X509* certificate) {
    unsigned char* der = nullptr;
    int size = i2d_X509(certificate, &der);
    return digest_of_der(size, der);
}

} // namespace skerry::trust
