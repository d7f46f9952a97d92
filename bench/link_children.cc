// Many real links on one core: TLS, WebSocket, sync sessions; of each child only the link is real (sim/world/light_child.h).
//
//     link_children STATE ADDRESS COUNT SECONDS      COUNT sites "s0".."sN" of the core with that state folder, which have Site objects
//
// Prints a line of JSON for each step, and waits for a line on standard input between them, so that whoever drives it can look at the core:
//
//     {"step": "up", "seconds": …}        all children are in agreement
//     {"step": "back", "seconds": …}      all had hung up, then dialled again within SECONDS, and are in agreement
#include "base/log.h"
#include "env/real/loop.h"
#include "env/real/real_clock.h"
#include "env/real/real_files.h"
#include "env/real/real_timers.h"
#include "link/dialer.h"
#include "sim/world/light_child.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/keys/key.h"
#include "trust/keys/key_store.h"
#include "trust/verify.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace skerry::bench {

namespace {

constexpr Duration patience = 10min;

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "link_children: %s\n", why.c_str());
    std::exit(1);
}

template<class T>
T must(Result<T> result) {
    if (!result) give_up(result.error().message);
    return std::move(*result);
}

class Crowd {
public:
    Crowd(const std::string& state, std::string address, std::size_t count) : address_(std::move(address)) {
        env::RealFiles files(state);
        auto pair = must(trust::KeyStore(files, state + "/keys").load("authority"));
        auto authority = must(trust::Authority::open(pair.chain_pem, pair.key_pem));
        pinned_ = {authority.key()};
        // One key for all: what is measured is at the other end.
        key_ = must(trust::make_key());
        auto request = must(trust::make_request(key_));
        for (std::size_t n = 0; n < count; ++n) {
            std::string name = "s" + std::to_string(n);
            CellId id(Id{0x5e, 1 + n});
            auto& seat = *seats_.emplace_back(std::make_unique<Seat>());
            seat.chain = must(authority.issue_chain(
                request,
                {.identity = trust::Identity::of_site(name, id), .addresses = {}, .authority = false, .now = clock_.wall()}));
            seat.dialer = link::make_dialer(loop_.context(),
                                            {.credentials =
                                                 [this, &seat] {
                                                     return http::Credentials{seat.chain, key_};
                                                 },
                                             .verify = [this](const http::Chain& chain) -> Result<env::Peer> {
                                                 // One parent for all: each machine would look at it once.
                                                 return trust::peer_of(TRY(trust::verify_parent(chain, pinned_, {}, &walked_)));
                                             },
                                             // All of them share one thread here, and each waits for the others.
                                             .deadline = 2min});
            seat.child = std::make_unique<sim::LightChild>(sim::LightChild::Options{.clock = clock_,
                                                                                    .timers = timers_,
                                                                                    .dialer = *seat.dialer,
                                                                                    .parent = address_,
                                                                                    .name = name,
                                                                                    .id = id,
                                                                                    .number = n});
        }
    }

    void dial(Duration within) {
        began_ = clock_.now();
        for (auto& seat : seats_) seat->child->dial_within(within);
    }
    void hang_up() {
        for (auto& seat : seats_) seat->child->hang_up();
    }
    /// Seconds since the dialling began.
    double wait() {
        look();
        loop_.run();
        return static_cast<double>((clock_.now() - began_) / 1ms) / 1000.0;
    }

private:
    struct Seat {
        std::string chain;
        std::unique_ptr<env::Dialer> dialer;
        std::unique_ptr<sim::LightChild> child;
    };

    void look() {
        std::size_t missing = 0;
        std::string why;
        for (auto& seat : seats_)
            if (!seat->child->in_agreement()) ++missing, why = seat->child->failure();
        if (missing == 0) return loop_.stop();
        if (clock_.now() - began_ > patience) give_up(std::to_string(missing) + " links are not in agreement: " + why);
        looking_ = timers_.after(100ms, [this] { look(); });
    }

    std::string address_, key_;
    std::vector<std::string> pinned_;
    trust::Walked walked_;
    env::RealClock clock_;
    env::Loop loop_;
    env::RealTimers timers_{loop_};
    std::vector<std::unique_ptr<Seat>> seats_;
    std::unique_ptr<env::Timer> looking_;
    Instant began_;
};

void tell(const char* step, double seconds) {
    std::printf("{\"step\": \"%s\", \"seconds\": %.2f}\n", step, seconds);
    std::fflush(stdout);
    char line[8];
    if (!std::fgets(line, sizeof line, stdin)) std::exit(0);
}

} // namespace

int run(const std::string& state, const std::string& address, std::size_t count, std::size_t seconds) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    log_from(Level::error);
    Crowd crowd(state, address, count);
    Duration within = std::chrono::seconds(seconds);
    // At first each parses its certificate and key, which takes longer than its handshake.
    crowd.dial(std::max<Duration>(within, count * 10ms));
    tell("up", crowd.wait());
    crowd.hang_up();
    crowd.dial(within);
    tell("back", crowd.wait());
    return 0;
}

} // namespace skerry::bench

int main(int count, char** words) {
    if (count != 5) {
        std::fprintf(stderr, "usage: link_children STATE ADDRESS COUNT SECONDS\n");
        return 2;
    }
    return skerry::bench::run(words[1], words[2], std::strtoul(words[3], nullptr, 10), std::strtoul(words[4], nullptr, 10));
}
