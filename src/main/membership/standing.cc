#include "main/membership/standing.h"

#include "base/json.h"
#include "base/log.h"
#include "cell/wall_clock.h"
#include "trust/succession.h"
#include "trust/verify.h"

#include <algorithm>
#include <utility>

namespace skerry::main {

namespace {

/// What becomes due for many at once is not asked for by all at once.
constexpr Duration spread = 20s;
constexpr Duration longest_renewal_wait = 10min;
/// A time that was longer under way says too little.
constexpr Duration longest_round_trip = 30s;

} // namespace

Standing::Standing(Options options) : options_(std::move(options)) {}
Standing::~Standing() = default;

void Standing::start() {
    ask_within(0s);
    look();
}

bool Standing::is_due() const { return cell::wants_time(options_.clock) || options_.membership.wants_certificates(); }

void Standing::look() {
    Duration period = std::clamp<Duration>(options_.membership.life() / 10, 1s, 1h);
    looking_ = options_.env.timers.after(period, [this] {
        if (is_due()) ask_within(std::min<Duration>(spread, options_.membership.life() / 10));
        look();
    });
}

void Standing::link_began() {
    failures_ = 0;
    if (is_due()) ask_within(0s);
}

void Standing::link_failed(const Error& error) {
    bool refused = error.code == Code::unauthenticated || error.code == Code::forbidden || error.code == Code::gone;
    if (refused) ask_within(1s);
}

void Standing::ask_within(Duration longest) {
    if (asking_ || call_) return;
    Duration least = failures_ == 0
                         ? Duration(0)
                         : std::min<Duration>(longest_renewal_wait, 1s * (std::int64_t{1} << std::min(failures_, 10u)));
    asking_ = options_.env.timers.after(least + options_.env.chance.up_to(longest + least / 2), [this] { ask(); });
}

void Standing::ask() {
    asking_.reset();
    if (options_.parents.empty()) return;
    const std::string& address = options_.parents[next_++ % options_.parents.size()];
    Membership& membership = options_.membership;
    auto request = membership.renewal_request(options_.env.chance.id(), membership.wants_certificates());
    auto credentials = membership.link_credentials();
    if (request) request->heard = heard_;
    if (!request || !credentials) return failed((request ? credentials.error() : request.error()).message);
    http::ClientOptions made{.base = "https://" + address};
    made.tls.credentials = std::move(*credentials);
    made.tls.allow_tls12 = false;
    made.tls.verify = [this](const http::Chain& chain) -> Result<http::Verdict> {
        return http::Verdict::of(TRY(trust::verify_parent(chain, options_.membership.pinned(), options_.clock.trust().mark)));
    };
    made.head_timeout = 30s;
    made.max_body = 2 << 20;
    auto client = http::Client::create(options_.context, std::move(made));
    if (!client) return failed(client.error().message);
    client_ = std::move(*client);
    http::Request post{.method = "POST",
                       .path = "/renewal/v1",
                       .query = {},
                       .headers = {{"Content-Type", "application/json"}},
                       .body = write_json(request->json())};
    call_ =
        client_->send(std::move(post), [this, request = *request, asked = options_.clock.now()](Result<http::Response> response) {
            // We are inside a call of this very client.
            options_.env.timers.post([call = std::shared_ptr<http::Call>(std::move(call_)),
                                      client = std::shared_ptr<http::Client>(std::move(client_))] {});
            if (response) return answered(request, asked, *response);
            if (response.error().code == Code::unauthenticated) return ask_succession(response.error());
            if (response.error().code == Code::gone)
                return failed(
                    "the parent takes this cell's key no more: it was revoked there (skerry site revoke, skerry node revoke), or "
                    "another machine has joined in its place. To come back it needs a new token (skerry token create there, "
                    "--join TOKEN here)",
                    Level::warning);
            failed(response.error().message);
        });
}

void Standing::answered(const trust::RenewalRequest& request, Instant asked, const http::Response& response) {
    auto body = parse_json(response.body, {.bytes = 2 << 20, .depth = 5, .values = 8192});
    if (response.status != 200)
        return failed("the parent refuses: " + (body ? std::string(body->text("message")).substr(0, 500)
                                                     : "status " + std::to_string(response.status)),
                      response.status == 401 || response.status == 403 ? Level::warning : Level::info);
    auto answer = body ? trust::RenewalAnswer::from_json(*body) : std::unexpected(body.error());
    auto taken = answer ? take(request, asked, *answer) : std::unexpected(answer.error());
    if (!taken) return failed(taken.error().message);
    failures_ = 0;
    // What was just learned may make more due: a newer key, or a clock that shows how old the certificate is.
    if (options_.membership.wants_certificates() && ++in_a_row_ < 3) return ask_within(0s);
    in_a_row_ = 0;
}

Result<void> Standing::take(const trust::RenewalRequest& request, Instant asked, const trust::RenewalAnswer& answer) {
    Membership& membership = options_.membership;
    Instant now = options_.clock.now();
    std::optional<WallTime> time;
    Result<void> verified = {};
    for (const std::string& authority : membership.parent_authorities()) {
        auto told = trust::verified_time(answer, request.nonce, options_.store.cell(), authority);
        verified = told ? Result<void>() : std::unexpected(told.error());
        if (told) time = *told;
        if (told) break;
    }
    // A newer key may have signed it: follow first, and ask again.
    if (!verified && answer.succession.empty()) return verified;
    if (time && now - asked <= longest_round_trip) {
        bool first = !options_.clock.confirmed_at();
        cell::confirm_clock(options_.clock, options_.store, *time, asked + (now - asked) / 2);
        std::string off = cell::words_of_correction(options_.clock.trust().correction);
        if (first && !off.empty()) log(Level::warning, "main", "this machine's clock is {}; the parent's counts", off);
        if (options_.clock_confirmed) options_.clock_confirmed();
    }
    bool changed = false;
    if (!answer.chain.empty()) {
        TRY_VOID(membership.complete_renewal(request, answer) | during("renew this cell's certificate"));
        log(Level::info, "main", "this cell's certificate was renewed until {}", rfc3339(*membership.certificate_ends()));
        changed = true;
    }
    if (!answer.succession.empty()) {
        TRY_VOID(membership.follow(TRY(trust::follow(request.follows, answer.succession))));
        log(Level::info, "main", "the parent's authority has a new key, which its old one vouched for: {}",
            membership.pinned().front());
        changed = true;
    }
    if (changed && options_.changed) options_.changed();
    if (!answer.revocations.empty() && options_.revoked)
        options_.revoked(answer.revocations,
                         [this, alive = std::weak_ptr(alive_), heard = trust::digest_of(answer.revocations)](bool news) {
                             if (alive.expired()) return;
                             heard_ = heard;
                             if (news) ask_within(0s); // which tells it
                         });
    return {};
}

/// The parent showed a key that is not pinned. Anyone may answer: only the pinned key can have signed what counts.
void Standing::ask_succession(const Error& refused) {
    const std::string& address = options_.parents[(next_ + options_.parents.size() - 1) % options_.parents.size()];
    std::string key = options_.membership.pinned().front();
    http::ClientOptions made{.base = "https://" + address};
    auto is_pinned = std::make_shared<bool>(false);
    made.tls.verify = [this, is_pinned](const http::Chain& chain) -> Result<http::Verdict> {
        *is_pinned = trust::verify_parent(chain, options_.membership.pinned(), options_.clock.trust().mark).has_value();
        return http::Verdict{};
    };
    made.max_body = 2 << 20;
    auto client = http::Client::create(options_.context, std::move(made));
    if (!client) return failed(client.error().message);
    client_ = std::move(*client);
    http::Request get{.path = "/succession/v1", .query = {}};
    get.query.add("key", key);
    call_ = client_->send(std::move(get), [this, key, is_pinned, refused = refused.message](Result<http::Response> response) {
        options_.env.timers.post([call = std::shared_ptr<http::Call>(std::move(call_)),
                                  client = std::shared_ptr<http::Client>(std::move(client_))] {});
        auto followed = [&]() -> Result<void> {
            if (!response) return std::unexpected(response.error());
            Json body = TRY(parse_json(response->body, {.bytes = 2 << 20, .depth = 5, .values = 8192}));
            auto passed = TRY(trust::follow(key, TRY(trust::parse_succession(body))));
            TRY_VOID(options_.membership.follow(passed));
            return {};
        }();
        if (!followed && *is_pinned)
            return failed("the parent is the pinned one and does not take this cell's certificate (" + refused +
                              "); to come back this cell needs a new token (skerry token create there, --join TOKEN here)",
                          Level::warning);
        if (!followed)
            return failed("the parent shows another authority than the pinned one: " + followed.error().message +
                          "; if that is meant, join again with a new token (skerry token create)");
        log(Level::info, "main", "the parent's authority has a new key, which its old one vouched for: {}",
            options_.membership.pinned().front());
        failures_ = 0;
        if (options_.changed) options_.changed();
        ask_within(0s);
    });
}

void Standing::failed(const std::string& why, Level first) {
    log(failures_ == 0 ? first : Level::debug, "main", "nothing renewed at the parent: {}", why);
    ++failures_;
    in_a_row_ = 0;
    if (is_due()) ask_within(1s);
}

} // namespace skerry::main
