#pragma once

#include "base/result.h"
#include "base/time.h"
#include "trust/identity.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

/// Everything that goes into a certificate besides the key.
struct Grant {
    Identity identity;
    /// Where a server is reached: host names and IP addresses, with or without a port. `localhost`, 127.0.0.1 and ::1 are always
    /// added for cells.
    std::vector<std::string> addresses;
    /// Whether the holder may issue for its own nodes, users and itself.
    bool authority = false;
    WallTime now;
    /// Counted from `now`, or from 2026 where the clock is plainly behind. Always begins in 2020, whatever the clock says:
    /// whoever verifies may have a wrong one too.
    Duration validity = 24h * 3652;
};

/// Signs certificates: the fleet's root, made by the first core, or a site's own, granted by its parent.
class Authority {
public:
    /// A new root with a new key, valid for 100 years.
    static Result<Authority> make_root(const Identity& core, WallTime now);
    /// `corrupt` where key and certificate do not belong together, `invalid` where the certificate is no authority.
    static Result<Authority> open(std::string chain_pem, std::string key_pem);

    /// A certificate (PEM, alone) for the request's key. What the request asks for beyond its key is ignored. `forbidden` when a
    /// site's authority is asked for another site's nodes, or for a core.
    Result<std::string> issue(std::string_view request_pem, const Grant&) const;
    /// The same with this authority's chain behind it, as a TLS server or client shows it.
    Result<std::string> issue_chain(std::string_view request_pem, const Grant&) const;

    const Identity& identity() const { return identity_; }
    /// The certificate that leads from this authority's key to the next one's (trust/succession.h), for 100 years.
    Result<std::string> vouch_for(const Authority& next) const;
    /// ECDSA over SHA-256, DER. See `verify_signature`.
    Result<std::string> sign(std::string_view text) const;
    /// Certificates that lead from earlier keys to this one's: shown behind each leaf, so that who trusts an earlier key finds
    /// the way.
    void show_crosses(std::string crosses_pem) { crosses_pem_ = std::move(crosses_pem); }

    /// Fingerprint of the key: what join tokens and children pin. Certificates of a key are renewed, the key stays.
    const std::string& key() const { return key_; }
    /// Own certificate alone.
    const std::string& certificate_pem() const { return certificate_pem_; }
    /// Own certificate first, the root last.
    const std::string& chain_pem() const { return chain_pem_; }
    const std::string& key_pem() const { return key_pem_; }

private:
    Authority() = default;

    Identity identity_;
    std::string key_;
    std::string crosses_pem_;
    std::string certificate_pem_;
    std::string chain_pem_;
    std::string key_pem_;
};

} // namespace skerry::trust
