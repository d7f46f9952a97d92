#pragma once

#include "base/result.h"
#include "base/time.h"
#include "trust/identity.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

/// What one certificate says, unverified.
struct Certificate {
    Identity identity;
    bool is_authority = false;
    std::string fingerprint;     ///< lower-case hexadecimal SHA-256 of the DER
    std::string key_fingerprint; ///< as trust/keys/key.h
    WallTime not_before;
    WallTime not_after;
    std::vector<std::string> addresses; ///< DNS names and IP addresses it may serve under
};

/// Reads the first certificate of a PEM text of at most 64 KiB. `invalid` for what is no certificate, `unauthenticated` for one
/// that carries no Skerry name.
Result<Certificate> read_certificate(std::string_view pem);

/// The certificates of a PEM text, each as a PEM of its own; at most 8, at most 64 KiB.
Result<std::vector<std::string>> split_chain(std::string_view pem);

} // namespace skerry::trust
