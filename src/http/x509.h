#pragma once

#include "base/result.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::http {

struct FreeCertificate {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

/// All certificates of a PEM text, in order; none in an empty one. `invalid` for what looks like one and is none.
Result<std::vector<Certificate>> read_certificates(std::string_view pem);
Result<Key> read_key(std::string_view pem);
std::string to_pem(X509*);

/// The oldest error in OpenSSL's queue as ours; empties the queue.
std::unexpected<Error> fail_tls(Code, std::string_view doing);

} // namespace skerry::http
