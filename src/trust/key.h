#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace skerry::trust {

/// A new P-256 private key, PKCS #8 in PEM.
Result<std::string> make_key();

/// Lower-case hexadecimal SHA-256 of the public key (SubjectPublicKeyInfo, DER): the same for a key, its requests and its
/// certificates.
Result<std::string> key_fingerprint(std::string_view key_pem);

/// A certificate signing request (PKCS #10, PEM) for this key. It carries no names: those come from whoever grants.
Result<std::string> make_request(std::string_view key_pem);
/// The fingerprint of the request's key, whose possession its signature proves. `invalid` for anything but P-256.
Result<std::string> request_fingerprint(std::string_view request_pem);

} // namespace skerry::trust
