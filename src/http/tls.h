#pragma once

#include "base/result.h"
#include "base/time.h"
#include "http/message.h"

#include <any>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace skerry::http {

struct Credentials {
    std::string chain_pem; ///< own certificate first, then the intermediates; the root too where clients pin it
    std::string key_pem;

    friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// What a Verify made of a chain: `Verdict::of(identity)`, to be had back by `std::any_cast` from PeerIdentity::identity. (Not a
/// bare std::any, which converts from everything: clang cannot decide whether a std::expected of one does.)
class Verdict {
public:
    Verdict() = default;
    template<class T>
    static Verdict of(T identity, std::string note = {}) {
        Verdict verdict;
        verdict.identity_ = std::move(identity);
        verdict.note_ = std::move(note);
        return verdict;
    }
    std::any take() && { return std::move(identity_); }
    /// What a Recall needs to know the chain again, at most 255 bytes; empty: its session is not taken up again.
    const std::string& note() const { return note_; }

private:
    std::any identity_;
    std::string note_;
};

/// Judges a peer's chain during the handshake; what it returns travels with the connection (PeerIdentity::identity). An error
/// ends the handshake with an alert, `gone` with the one for revoked certificates, which the other side gets as `gone`. Runs on the loop's thread; must not block. Replaces all of OpenSSL's own checks of the chain
/// (the proof that the peer has the key stays), so a cell that must ignore its clock decides here (rules T2, T3).
using Verify = std::function<Result<Verdict>(const Chain&)>;

enum class Validity { checked, ignored };

/// Judges anew, as of now, whom a session began with, by the note of the Verdict of then. An error, whatever it is, makes the
/// client show its certificate again, and Verify has the word.
using Recall = std::function<Result<Verdict>(std::string_view note)>;

/// The chain leads from its first certificate to one of `ca_pem`. `ignored` passes over every notBefore and notAfter (rule T3: a
/// child whose clock is wrong). Not a check of names.
Result<void> verify_chain(const Chain&, const std::string& ca_pem, Validity);

/// A Verify that does no more than `verify_chain`; its identity is empty.
Verify pinned_authorities(std::string ca_pem, Validity);

/// Lower-case hexadecimal SHA-256 of a certificate's DER: what `openssl x509 -fingerprint -sha256` prints, without colons.
Result<std::string> fingerprint(const std::string& certificate_pem);
/// The same of its public key (SubjectPublicKeyInfo): stays when a certificate is renewed.
Result<std::string> key_fingerprint(const std::string& certificate_pem);

enum class ClientCertificate { unasked, optional, required };

struct ServerTlsOptions {
    Credentials credentials;
    /// Named in the request for a certificate, and the trust anchors where no `verify` is given.
    std::string ca_pem;
    Verify verify;
    /// Sessions of TLS 1.3 may be taken up again without certificates (RFC 8446, 2.2): less to send, and a third of the work. None:
    /// they may not. The identity of such a connection comes without a chain.
    Recall recall;
    Duration session_life = 7 * 24h; ///< at most, and of what seals the tickets; RFC 8446, 4.6.1, allows no more
    ClientCertificate client_certificate = ClientCertificate::optional;
    bool allow_tls12 = true; ///< for old API clients; links refuse anything below 1.3 themselves
};

/// What a Server shows and demands. Every connection is judged afresh, also one that takes a session up again, so that a revoked key
/// is out at once. What seals the tickets is in memory only: after a restart everybody shows certificates.
class ServerTls {
public:
    static Result<std::shared_ptr<ServerTls>> create(ServerTlsOptions);
    ~ServerTls();

    /// New connections get these; open ones keep what they have. On error everything stays as it was.
    Result<void> replace(Credentials);
    Result<void> replace_authorities(std::string ca_pem);

    struct State;
    State& state() { return *state_; }

private:
    explicit ServerTls(std::unique_ptr<State>);
    std::unique_ptr<State> state_;
};

/// What a client shows and demands. With `verify` it alone judges; otherwise with `pin` the pinned authority, whatever the clock
/// says; otherwise `ca_pem` or, where that is empty, the system's authorities, with validity and the host's name checked.
struct ClientTlsOptions {
    Credentials credentials; ///< empty: none
    std::string ca_pem;
    /// SHA-256 fingerprint of an authority's certificate, or of its key, that the server must send; the chain must lead to it.
    /// For joins: the authority's certificate is not here yet, its key's fingerprint is in the token.
    std::string pin;
    Verify verify;
    /// With `verify`: the last session is taken up again where the server agrees; its chain is judged again before.
    bool resumes = false;
    bool insecure = false; ///< any certificate will do
    /// `ignored`: with `ca_pem`, no end of a certificate counts (this machine's clock is known to be wrong).
    Validity validity = Validity::checked;
    std::string server_name; ///< replaces the address' host for SNI and the check of the name
    bool allow_tls12 = true;
};

class ClientTls {
public:
    static Result<std::shared_ptr<ClientTls>> create(ClientTlsOptions);
    ~ClientTls();

    struct State;
    State& state() { return *state_; }

private:
    explicit ClientTls(std::unique_ptr<State>);
    std::unique_ptr<State> state_;
};

} // namespace skerry::http
