#pragma once

#include "trust/identity.h"
#include "trust/openssl.h"

#include "base/time.h"

namespace skerry::trust {

/// Whom an (unverified) certificate speaks for; `unauthenticated` for one that carries no name of ours or a malformed one.
Result<Identity> identity_of(X509*);
/// By its basic constraints alone.
bool is_authority(X509*);
Result<WallTime> end_of(X509*);

} // namespace skerry::trust
