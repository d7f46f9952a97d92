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

/// Its public half, or that of a certificate: "PUBLIC KEY" in PEM.
Result<std::string> public_key(std::string_view key_pem);
Result<std::string> certified_key(std::string_view certificate_pem);
/// ECDSA over SHA-256, DER. See `verify_signature` in trust/verify.h.
Result<std::string> sign(std::string_view key_pem, std::string_view text);

/// A certificate signing request (PKCS #10, PEM) for this key. It carries no names: those come from whoever grants.
Result<std::string> make_request(std::string_view key_pem);
/// The fingerprint of the request's key, whose possession its signature proves. `invalid` for anything but P-256.
Result<std::string> request_fingerprint(std::string_view request_pem);

} // namespace skerry::trust
