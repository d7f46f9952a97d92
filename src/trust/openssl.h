#pragma once

#include "base/result.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

/// OpenSSL's objects with owners, and its errors as ours. For the .cc files of this folder.
namespace skerry::trust {

template<auto Free>
struct FreeWith {
    template<class T>
    void operator()(T* object) const {
        Free(object);
    }
};
inline void free_extensions(STACK_OF(X509_EXTENSION) * stack) { sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free); }
inline void free_references(STACK_OF(X509) * stack) { sk_X509_free(stack); }

using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, FreeWith<X509_REQ_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
/// Owns the stack, not the certificates in it.
using ReferencesPtr = std::unique_ptr<STACK_OF(X509), FreeWith<free_references>>;

/// `internal` with OpenSSL's own words; empties its queue of errors.
[[nodiscard]] std::unexpected<Error> fail_openssl(Code, std::string_view doing);

inline constexpr std::size_t max_pem = 64 << 10;

/// All parsers refuse more than `max_pem` bytes and ask for no pass phrase.
Result<KeyPtr> read_key(std::string_view pem);
Result<CertificatePtr> read_x509(std::string_view pem);
/// With a signature that fits its key, which is on P-256.
Result<RequestPtr> read_request(std::string_view pem);
std::string pem_of(X509*);

bool is_p256(EVP_PKEY*);
/// Lower-case hexadecimal SHA-256 of the SubjectPublicKeyInfo.
Result<std::string> fingerprint_of(EVP_PKEY*);
Result<std::string> fingerprint_of(X509*);

} // namespace skerry::trust
