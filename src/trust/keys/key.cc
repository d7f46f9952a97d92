#include "trust/keys/key.h"

#include "trust/openssl.h"

#include <openssl/pem.h>

namespace skerry::trust {

namespace {

Result<std::string> written_public(EVP_PKEY* key) {
    BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || !key || PEM_write_bio_PUBKEY(bio.get(), key) != 1) return fail_openssl(Code::internal, "write a public key");
    char* text = nullptr;
    long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

} // namespace

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

Result<std::string> public_key(std::string_view key_pem) { return written_public(TRY(read_key(key_pem)).get()); }

Result<std::string> certified_key(std::string_view certificate_pem) {
    return written_public(X509_get0_pubkey(TRY(read_x509(certificate_pem)).get()));
}

Result<std::string> sign(std::string_view key_pem, std::string_view text) {
    KeyPtr key = TRY(read_key(key_pem));
    DigestContextPtr context(EVP_MD_CTX_new());
    std::size_t size = 0;
    auto bytes = reinterpret_cast<const unsigned char*>(text.data());
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1)
        return fail_openssl(Code::internal, "sign");
    std::string signature(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) != 1)
        return fail_openssl(Code::internal, "sign");
    signature.resize(size);
    return signature;
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
