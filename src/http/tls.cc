#include "http/tls.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/log.h"
#include "http/tls_session.h"
#include "http/x509.h"

#include <boost/asio/steady_timer.hpp>

#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace skerry::http {

namespace {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Clock = boost::asio::steady_timer::clock_type;
constexpr std::size_t ticket_key_bytes = 80; // as OpenSSL has them: a name and two keys

int session_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// OpenSSL asks this instead of its own verification: the chain as sent goes to the Verify behind `argument`.
int judge(X509_STORE_CTX* store, void* argument) {
    auto& verify = *static_cast<Verify*>(argument);
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* session = static_cast<TlsSession*>(SSL_get_ex_data(ssl, session_index()));
    CHECK(session != nullptr);
    auto peer = std::make_shared<PeerIdentity>();
    auto* sent = X509_STORE_CTX_get0_untrusted(store);
    for (int i = 0; i < sk_X509_num(sent) && i < 10; ++i) peer->chain.push_back(to_pem(sk_X509_value(sent, i)));
    auto identity = verify(peer->chain);
    if (!identity) {
        // The other side hears no words, only which alert.
        X509_STORE_CTX_set_error(store,
                                 identity.error().code == Code::gone ? X509_V_ERR_CERT_REVOKED : X509_V_ERR_CERT_UNTRUSTED);
        session->refused(std::move(identity).error());
        return 0;
    }
    auto note = identity->note();
    peer->identity = std::move(*identity).take();
    // Who is nobody's peer again needs no ticket.
    if (SSL_is_server(ssl) != 0 && SSL_version(ssl) >= TLS1_3_VERSION && !note.empty()) SSL_set_num_tickets(ssl, 1);
    session->judged(std::move(peer), std::move(note));
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

TlsSession& session_of(SSL* ssl) {
    auto* session = static_cast<TlsSession*>(SSL_get_ex_data(ssl, session_index()));
    CHECK(session != nullptr);
    return *session;
}

int write_ticket(SSL* ssl, void*) {
    const auto& note = session_of(ssl).note();
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), note.data(), note.size());
}

/// What the ticket says of the peer, judged as of now.
Result<Verdict> recalled(const Recall& recall, SSL_SESSION* session) {
    void* bytes = nullptr;
    std::size_t size = 0;
    if (SSL_SESSION_get0_ticket_appdata(session, &bytes, &size) != 1 || size == 0)
        return fail(Code::unauthenticated, "the session of before is nobody's");
    return recall({static_cast<const char*>(bytes), size});
}

SSL_TICKET_RETURN read_ticket(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                              void* argument) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE;
    // No new ticket: after its time certificates are shown again.
    return recalled(*static_cast<const Recall*>(argument), session) ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE;
}

/// Tickets are for TLS 1.3 alone; the version is known when this is called.
int without_old_tickets(SSL* ssl, void*) {
    if (SSL_version(ssl) < TLS1_3_VERSION) SSL_set_options(ssl, SSL_OP_NO_TICKET);
    return 1;
}

/// OpenSSL offers a ticket to us when it is a client.
int take_ticket(SSL* ssl, SSL_SESSION* session) {
    session_of(ssl).keep(*session);
    return 0;
}

struct FreeSession {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

Result<void> load(SSL_CTX* context, const Credentials& credentials) {
    auto chain = TRY(read_certificates(credentials.chain_pem) | during("certificate chain"));
    if (chain.empty()) return fail(Code::invalid, "certificate chain: no PEM certificate in it");
    auto key = TRY(read_key(credentials.key_pem));
    if (SSL_CTX_use_certificate(context, chain[0].get()) != 1) return fail_tls(Code::invalid, "certificate");
    SSL_CTX_clear_chain_certs(context);
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return fail_tls(Code::invalid, "certificate chain");
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
        return fail_tls(Code::invalid, "private key of the certificate");
    return {};
}

Result<Context> make_context(const SSL_METHOD* method, bool allow_tls12) {
    ERR_clear_error();
    Context context(SSL_CTX_new(method));
    if (!context) return fail_tls(Code::internal, "TLS");
    SSL_CTX_set_min_proto_version(context.get(), allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

int choose_http11(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered, unsigned int size,
                  void*) {
    static constexpr unsigned char ours[] = "\x08http/1.1";
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, length, ours, sizeof ours - 1, offered, size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

} // namespace

/// The last session of a client that can be taken up again, and with whom it is.
struct KeptSession {
    std::unique_ptr<SSL_SESSION, FreeSession> session;
    std::shared_ptr<const PeerIdentity> peer;
};

struct ServerTls::State {
    ServerTlsOptions options;
    Verify verify;
    Recall recall;
    Context context;
    Clock::time_point keys_since = Clock::now();

    /// A context of its own for each set of credentials: connections under way keep theirs.
    Result<Context> build(const Credentials& credentials, const std::string& ca_pem) {
        auto made = TRY(make_context(TLS_server_method(), options.allow_tls12));
        TRY_VOID(load(made.get(), credentials));
        SSL_CTX_set_num_tickets(made.get(), 0);
        if (recall) {
            SSL_CTX_clear_options(made.get(), SSL_OP_NO_TICKET);
            SSL_CTX_set_timeout(made.get(), static_cast<long>(options.session_life / 1s));
            SSL_CTX_set_session_ticket_cb(made.get(), write_ticket, read_ticket, &recall);
            SSL_CTX_set_cert_cb(made.get(), without_old_tickets, nullptr);
        }
        static constexpr unsigned char id[] = "skerry";
        SSL_CTX_set_session_id_context(made.get(), id, sizeof id - 1);
        SSL_CTX_set_alpn_select_cb(made.get(), choose_http11, nullptr);
        if (options.client_certificate != ClientCertificate::unasked) {
            int required = options.client_certificate == ClientCertificate::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
            SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | required, nullptr);
            SSL_CTX_set_cert_verify_callback(made.get(), judge, &verify);
            for (auto& authority : TRY(read_certificates(ca_pem) | during("certificate authorities")))
                SSL_CTX_add_client_CA(made.get(), authority.get());
        }
        return made;
    }

    /// Sessions of before stay good: what seals their tickets, which OpenSSL draws for each context, goes over to the next.
    void show(Context next) {
        unsigned char keys[ticket_key_bytes];
        if (recall && SSL_CTX_get_tlsext_ticket_keys(context.get(), keys, sizeof keys) == 1)
            SSL_CTX_set_tlsext_ticket_keys(next.get(), keys, sizeof keys);
        OPENSSL_cleanse(keys, sizeof keys);
        context = std::move(next);
    }

    /// That has its time, too.
    void renew_keys() {
        if (!recall || Clock::now() - keys_since < options.session_life) return;
        unsigned char keys[ticket_key_bytes];
        Context fresh(SSL_CTX_new(TLS_server_method()));
        if (!fresh || SSL_CTX_get_tlsext_ticket_keys(fresh.get(), keys, sizeof keys) != 1) return;
        SSL_CTX_set_tlsext_ticket_keys(context.get(), keys, sizeof keys);
        OPENSSL_cleanse(keys, sizeof keys);
        keys_since = Clock::now();
    }
};

struct ClientTls::State {
    ClientTlsOptions options;
    Verify verify;
    Context context;
    bool check_name = false;
    std::shared_ptr<KeptSession> kept;
};

ServerTls::ServerTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerTls::~ServerTls() = default;

Result<std::shared_ptr<ServerTls>> ServerTls::create(ServerTlsOptions options) {
    auto state = std::make_unique<State>();
    state->options = std::move(options);
    if (state->options.verify) {
        state->verify = state->options.verify;
    } else {
        state->verify = [s = state.get()](const Chain& chain) -> Result<Verdict> {
            TRY_VOID(verify_chain(chain, s->options.ca_pem, Validity::checked));
            return Verdict{};
        };
    }
    state->recall = state->options.recall;
    state->context = TRY(state->build(state->options.credentials, state->options.ca_pem));
    return std::shared_ptr<ServerTls>(new ServerTls(std::move(state)));
}

Result<void> ServerTls::replace(Credentials credentials) {
    state_->show(TRY(state_->build(credentials, state_->options.ca_pem)));
    state_->options.credentials = std::move(credentials);
    return {};
}

Result<void> ServerTls::replace_authorities(std::string ca_pem) {
    state_->show(TRY(state_->build(state_->options.credentials, ca_pem)));
    state_->options.ca_pem = std::move(ca_pem);
    return {};
}

ClientTls::ClientTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientTls::~ClientTls() = default;

Result<std::shared_ptr<ClientTls>> ClientTls::create(ClientTlsOptions options) {
    auto state = std::make_unique<State>();
    state->context = TRY(make_context(TLS_client_method(), options.allow_tls12));
    auto* context = state->context.get();
    if (!options.credentials.chain_pem.empty() || !options.credentials.key_pem.empty())
        TRY_VOID(load(context, options.credentials) | during("client certificate"));
    if (options.verify) {
        state->verify = options.verify;
    } else if (!options.pin.empty()) {
        state->verify = [pin = options.pin](const Chain& chain) -> Result<Verdict> {
            for (const auto& certificate : chain) {
                if (TRY(fingerprint(certificate)) != pin && TRY(key_fingerprint(certificate)) != pin) continue;
                TRY_VOID(verify_chain(chain, certificate, Validity::ignored));
                return Verdict{};
            }
            return fail(Code::unauthenticated,
                        "the server's certificate does not come from the authority " + pin.substr(0, 16) + "…");
        };
    }
    if (state->verify) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_cert_verify_callback(context, judge, &state->verify);
        if (options.resumes) {
            state->kept = std::make_shared<KeptSession>();
            SSL_CTX_clear_options(context, SSL_OP_NO_TICKET);
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
            SSL_CTX_sess_set_new_cb(context, take_ticket);
        }
    } else if (options.insecure) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    } else {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        state->check_name = true;
        if (options.ca_pem.empty()) {
            SSL_CTX_set_default_verify_paths(context);
        } else {
            auto authorities = TRY(read_certificates(options.ca_pem) | during("certificate authority"));
            if (authorities.empty()) return fail(Code::invalid, "certificate authority: no PEM certificate in it");
            for (auto& authority : authorities) X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
            // Any of them is an anchor, whether it signed itself or not: a site's own authority is an intermediate one.
            unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
            if (options.validity == Validity::ignored) flags |= X509_V_FLAG_NO_CHECK_TIME;
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), flags);
        }
    }
    state->options = std::move(options);
    return std::shared_ptr<ClientTls>(new ClientTls(std::move(state)));
}

Result<std::unique_ptr<TlsSession>> TlsSession::server(ServerTls& tls, int descriptor) {
    tls.state().renew_keys();
    SSL* ssl = SSL_new(tls.state().context.get());
    if (ssl == nullptr) return fail_tls(Code::internal, "TLS");
    std::unique_ptr<TlsSession> session(new TlsSession(ssl));
    if (SSL_set_fd(ssl, descriptor) != 1) return fail_tls(Code::internal, "TLS");
    SSL_set_ex_data(ssl, session_index(), session.get());
    if (tls.state().recall) session->recall_ = &tls.state().recall;
    SSL_set_accept_state(ssl);
    return session;
}

Result<std::unique_ptr<TlsSession>> TlsSession::client(ClientTls& tls, int descriptor, const std::string& host) {
    auto& state = tls.state();
    SSL* ssl = SSL_new(state.context.get());
    if (ssl == nullptr) return fail_tls(Code::internal, "TLS");
    std::unique_ptr<TlsSession> session(new TlsSession(ssl));
    if (SSL_set_fd(ssl, descriptor) != 1) return fail_tls(Code::internal, "TLS");
    SSL_set_ex_data(ssl, session_index(), session.get());
    const auto& name = state.options.server_name.empty() ? host : state.options.server_name;
    in6_addr address{};
    bool literal = inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
    if (!literal && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1)
        return fail_tls(Code::invalid, "server name \"" + name + "\"");
    if (state.check_name) {
        int set = literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) : SSL_set1_host(ssl, name.c_str());
        if (set != 1) return fail_tls(Code::invalid, "server name \"" + name + "\"");
    }
    SSL_set_connect_state(ssl);
    if (state.kept) session->offer(state.kept, state.verify);
    return session;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

/// What is trusted may have changed since that session began.
void TlsSession::offer(std::shared_ptr<KeptSession> kept, const Verify& verify) {
    kept_ = std::move(kept);
    if (!kept_->session) return;
    auto verdict = verify(kept_->peer->chain);
    // OpenSSL uses up what it is given.
    std::unique_ptr<SSL_SESSION, FreeSession> copy(verdict ? SSL_SESSION_dup(kept_->session.get()) : nullptr);
    if (!copy || SSL_set_session(ssl_, copy.get()) != 1) {
        ERR_clear_error();
        *kept_ = {};
        return;
    }
    auto peer = std::make_shared<PeerIdentity>();
    peer->chain = kept_->peer->chain;
    peer->identity = std::move(*verdict).take();
    recalled_ = std::move(peer);
}

void TlsSession::keep(const SSL_SESSION& session) {
    if (!kept_ || !peer_ || peer_->chain.empty()) return;
    kept_->session.reset(SSL_SESSION_dup(&session));
    kept_->peer = peer_;
}

void TlsSession::forget_chain() {
    if (!peer_) return;
    auto slim = std::make_shared<PeerIdentity>();
    slim->identity = peer_->identity;
    peer_ = std::move(slim);
    note_ = {};
    // A parsed certificate takes some 4 KiB, and OpenSSL keeps those of the authorities for as long as the connection.
    if (auto* chain = SSL_get_peer_cert_chain(ssl_))
        while (sk_X509_num(chain) > 0) X509_free(sk_X509_pop(chain));
}

bool TlsSession::resumed() const { return SSL_session_reused(ssl_) == 1; }

/// Only here is it proven that who showed the ticket has the session's secret.
Result<void> TlsSession::recall() {
    if (SSL_is_server(ssl_) == 0) {
        peer_ = std::move(recalled_);
    } else if (recall_) {
        auto peer = std::make_shared<PeerIdentity>();
        peer->identity = TRY(recalled(*recall_, SSL_get_session(ssl_))).take();
        peer_ = std::move(peer);
    }
    if (!peer_) return fail(Code::unauthenticated, "a session was taken up again that nobody offered");
    return {};
}

Step TlsSession::after(int outcome, std::string_view doing) {
    int saved = errno;
    switch (SSL_get_error(ssl_, outcome)) {
    case SSL_ERROR_WANT_READ:
        return Step::want_read;
    case SSL_ERROR_WANT_WRITE:
        return Step::want_write;
    case SSL_ERROR_ZERO_RETURN:
        return Step::closed;
    case SSL_ERROR_SYSCALL:
        why_ = saved == 0 ? Error{Code::unavailable, "the other side cut the connection"} : fail_errno(doing, saved).error();
        why_.code = Code::unavailable;
        break;
    default: {
        unsigned long number = ERR_peek_error();
        int reason = ERR_GET_REASON(number);
        if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            why_ = {Code::unavailable, "the other side cut the connection"};
        } else if (!refusal_.message.empty()) {
            why_ = {Code::unauthenticated, refusal_.message};
        } else if (long verdict = SSL_get_verify_result(ssl_);
                   reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
            why_ = {Code::unauthenticated,
                    std::string("the server's certificate is not trusted: ") + X509_verify_cert_error_string(verdict)};
        } else if (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_WRONG_VERSION_NUMBER) {
            why_ = {Code::invalid, "the other side does not speak TLS"};
        } else if (reason > SSL_AD_REASON_OFFSET) {
            bool gone = reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED;
            const char* text = gone ? "the key that was shown is no longer good there" : ERR_reason_error_string(number);
            why_ = {gone ? Code::gone : Code::unauthenticated,
                    std::string("the other side refused the connection: ") + (text != nullptr ? text : "TLS alert")};
        } else {
            why_ = fail_tls(Code::unavailable, doing).error();
        }
        // OpenSSL forbids any further call after a fatal error.
        up_ = false;
        break;
    }
    }
    ERR_clear_error();
    return Step::failed;
}

Step TlsSession::handshake() {
    ERR_clear_error();
    errno = 0;
    int outcome = SSL_do_handshake(ssl_);
    if (outcome != 1) {
        auto step = after(outcome, "TLS handshake");
        if (step == Step::closed) why_ = {Code::unavailable, "the other side closed during the TLS handshake"};
        return step == Step::closed ? Step::failed : step;
    }
    up_ = true;
    if (resumed()) {
        if (auto known = recall(); !known) {
            why_ = known.error();
            return Step::failed;
        }
    }
    recalled_.reset();
    recall_ = nullptr;
    if (!peer_) {
        // Without a judge of ours OpenSSL verified (or nobody did): hand over what was sent all the same.
        if (auto* sent = SSL_get_peer_cert_chain(ssl_); sent != nullptr && SSL_is_server(ssl_) == 0) {
            auto peer = std::make_shared<PeerIdentity>();
            for (int i = 0; i < sk_X509_num(sent); ++i) peer->chain.push_back(to_pem(sk_X509_value(sent, i)));
            peer_ = std::move(peer);
        }
    }
    return Step::done;
}

Step TlsSession::read(char* bytes, std::size_t size, std::size_t& count) {
    ERR_clear_error();
    errno = 0;
    count = 0;
    int outcome = SSL_read_ex(ssl_, bytes, size, &count);
    return outcome == 1 ? Step::done : after(outcome, "read");
}

Step TlsSession::write(const char* bytes, std::size_t size, std::size_t& count) {
    ERR_clear_error();
    errno = 0;
    count = 0;
    int outcome = SSL_write_ex(ssl_, bytes, size, &count);
    return outcome == 1 ? Step::done : after(outcome, "write");
}

void TlsSession::shut() {
    if (!up_) return;
    up_ = false;
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
}

std::string_view TlsSession::version() const { return SSL_get_version(ssl_); }
std::uint64_t TlsSession::sent() const { return BIO_number_written(SSL_get_wbio(ssl_)); }
std::uint64_t TlsSession::received() const { return BIO_number_read(SSL_get_rbio(ssl_)); }

void ignore_broken_pipes() {
    static const auto before = std::signal(SIGPIPE, SIG_IGN);
    (void)before;
}

void connection_ended() {
    // glibc keeps the memory of 10,000 ended connections for itself until told otherwise (47 MB were measured).
    static constexpr int batch = 512;
    static int ended = 0;
    if (++ended < batch) return;
    ended = 0;
    malloc_trim(0);
}

} // namespace skerry::http
