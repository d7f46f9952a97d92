#pragma once

#include "base/result.h"
#include "env/corrected_clock.h"
#include "http/message.h"
#include "http/tls.h"
#include "main/membership/membership.h"
#include "main/membership/register.h"
#include "store/store.h"
#include "trust/identity.h"
#include "trust/verify.h"

namespace skerry::main {

/// Who is at the other end of a connection to this cell: by certificate (people, children, neighbours) or by access token.
///
/// A key that was revoked is nobody's. A child's must be the one on record, and its seat its own (rule H6); a certificate of its that
/// has ended gets as far as the renewal (rule T2), a person's does not.
class Callers {
public:
    /// `is_root`: this cell has no parent that could tell it the time. All must outlive this.
    Callers(const env::CorrectedClock& clock, const store::Store& store, const Membership& membership, const Register& members,
            bool is_root)
        : clock_(clock), store_(store), membership_(membership), register_(members), is_root_(is_root) {}

    /// Of a chain, during the handshake: `http::Verdict` of a `trust::Shown`.
    Result<http::Verdict> judge(const http::Chain&) const;
    /// Of a session that is taken up again, by the note of its beginning: the same, as of now.
    Result<http::Verdict> recall(std::string_view note) const;
    /// Of a request.
    Result<trust::Identity> identify(const http::Request&) const;
    /// `unauthenticated` once its certificate has ended.
    Result<void> check_end(const trust::Shown&) const;

private:
    WallTime judging_time() const;
    trust::Judgement judgement() const;
    Result<http::Verdict> admit(trust::Shown) const;

    const env::CorrectedClock& clock_;
    const store::Store& store_;
    const Membership& membership_;
    const Register& register_;
    bool is_root_;
    mutable trust::Walked walked_;
};

} // namespace skerry::main
