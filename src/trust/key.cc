#include "trust/key.h"

#include "trust/openssl.h"

#include <openssl/pem.h>

namespace skerry::trust {

Result<std::string> make_key() {
    KeyPtr key(EVP_EC_gen("P-256"));
    BioPtr bio(BIO_new(BIO_s_secmem()));
    if (!key || !bio || PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return fail_openssl(Code::internal, "make a private key");
    char* text = nullptr;
    long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

Result<std::string> key_fingerprint(std::string_view key_pem) {
    KeyPtr key = TRY(read_key(key_pem));
    return fingerprint_of(key.get());
}

Result<std::string> make_request(std::string_view key_pem) {
    KeyPtr key = TRY(read_key(key_pem));
    RequestPtr request(X509_REQ_new());
    BioPtr bio(BIO_new(BIO_s_mem()));
    if (!request || !bio || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(request.get(), key.get()) != 1 || X509_REQ_sign(request.get(), key.get(), EVP_sha256()) <= 0 ||
        PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1)
        return fail_openssl(Code::internal, "make a certificate request");
    char* text = nullptr;
    long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

Result<std::string> request_fingerprint(std::string_view request_pem) {
    RequestPtr request = TRY(read_request(request_pem));
    return fingerprint_of(X509_REQ_get0_pubkey(request.get()));
}

} // namespace skerry::trust
