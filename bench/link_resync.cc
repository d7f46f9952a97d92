// What a reconnection and a repair cost on the wire, with the real sessions of both sides over a wire that counts. JSON on
// standard output.
//
//     link_resync [ITEMS]      100,000 where not given
#include "sync/fake_link_test.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace skerry::sync {

namespace {

constexpr Lane desired = Lane::desired;
/// TLS 1.3 record and masked WebSocket frame of one message.
constexpr std::uint64_t wrapping = 22 + 8;

struct Cost {
    std::uint64_t bytes = 0, messages = 0;
    int half_trips = 0; ///< until the receiver holds everything
};

[[noreturn]] void give_up(const char* why) {
    std::fprintf(stderr, "link_resync: %s\n", why);
    std::exit(1);
}

/// As an Allocation is: a reference with its metadata.
std::string content(std::uint64_t n) { return std::string(150, 'a') + std::to_string(n); }

class Bench {
public:
    explicit Bench(std::uint64_t items) : items_(items) {
        for (std::uint64_t n = 0; n < items_; ++n) link_.parent.put(desired, key_of(n), content(n));
        link_.connect();
        finish();
    }

    /// `k` edits while away; the parent restarted meanwhile, so that it knows only what its store knows.
    Cost resync(std::uint64_t k, bool by_cursor) {
        link_.cut();
        for (std::uint64_t n = 0; n < k; ++n)
            link_.parent.put(desired, key_of(n * (items_ / std::max<std::uint64_t>(k, 1))), content(++edits_) + "edited");
        if (!by_cursor) link_.child.cursor.reset();
        link_.parent.crash();
        link_.child.crash();
        return connect();
    }
    /// `k` replicas rotted on the child's disk, which was read anew.
    Cost repair(std::uint64_t k) {
        link_.cut();
        for (std::uint64_t n = 0; n < k; ++n) {
            auto at = link_.child.held[0].find(key_of(n * (items_ / k) + 1));
            if (n % 2 == 0)
                at->second.bytes[5] ^= 1;
            else
                link_.child.held[0].erase(at);
        }
        link_.child.crash();
        return connect();
    }

private:
    Cost connect() {
        Cost cost{.bytes = link_.bytes, .messages = link_.messages};
        link_.connect();
        std::uint64_t said = 0;
        for (int trips = 1; said != link_.messages; ++trips) {
            said = link_.messages;
            std::uint64_t landed = link_.child.landed;
            link_.travel();
            if (landed != link_.child.landed) cost.half_trips = trips;
        }
        finish();
        cost.messages = link_.messages - cost.messages;
        cost.bytes = link_.bytes - cost.bytes + cost.messages * wrapping;
        return cost;
    }
    void finish() {
        if (!link_.settle(10'000'000) || !link_.agree() || !link_.up) give_up("the two do not agree");
    }

    std::uint64_t items_, edits_ = 0;
    FakeLink link_;
};

} // namespace

} // namespace skerry::sync

int main(int count, char** arguments) {
    using namespace skerry::sync;
    std::uint64_t items = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 100'000;
    if (items < 100) give_up("at least 100 items");
    Bench bench(items);
    const char* separator = "[";
    auto print = [&](const std::string& name, const Cost& cost) {
        std::printf("%s\n {\"name\": \"%s\", \"bytes\": %llu, \"messages\": %llu, \"trips\": %.1f}", separator, name.c_str(),
                    static_cast<unsigned long long>(cost.bytes), static_cast<unsigned long long>(cost.messages),
                    cost.half_trips / 2.0);
        std::fflush(stdout);
        separator = ",";
    };
    for (std::uint64_t k : {std::uint64_t{0}, std::uint64_t{10}, std::uint64_t{1'000}, items}) {
        std::string name = "resync.k" + std::to_string(k);
        print(name, bench.resync(k, true));
        print(name + ".descent", bench.resync(k, false));
    }
    print("repair.k10", bench.repair(10));
    std::printf("\n]\n");
}
