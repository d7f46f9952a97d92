#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What crosses a link, told apart by lane (rule L6), and what it costs on the way.
namespace skerry::sync {

/// The lanes of a link in order of priority: the first four on its first connection, the others on its second. Lanes that carry a
/// slice are `Lane`s.
enum class Flow : std::uint8_t {
    lease,    ///< beats and grants
    security, ///< handshakes and hellos
    desired,
    status,
    tunnel, ///< logs
    bulk,   ///< bytes of images
};
inline constexpr std::size_t flows = 6;
std::string_view word(Flow);

struct Use {
    std::uint64_t sent = 0, received = 0;
    std::uint64_t both() const { return sent + received; }
    bool operator==(const Use&) const = default;
};

struct Uses {
    std::array<Use, flows> of{};
    Use& operator[](Flow flow) { return of[static_cast<std::size_t>(flow)]; }
    const Use& operator[](Flow flow) const { return of[static_cast<std::size_t>(flow)]; }
    void operator+=(const Uses& other) {
        for (std::size_t n = 0; n < flows; ++n) of[n].sent += other.of[n].sent, of[n].received += other.of[n].received;
    }
    std::uint64_t all() const {
        std::uint64_t sum = 0;
        for (const Use& use : of) sum += use.both();
        return sum;
    }
    bool operator==(const Uses&) const = default;
};

/// What one message takes on the way: with the heads of WebSocket and of a TLS record, and those of TCP (with time stamps) and IPv4
/// for each segment; and the acknowledgements that come back, one for two segments. Computed, so that both ends of a link count
/// the same for the same message; segments that were sent again are not in it.
inline Use on_the_way(std::size_t message) {
    constexpr std::uint64_t websocket = 6, long_websocket = 14, record = 22, record_bytes = 16 << 10, segment_bytes = 1'400,
                            headers = 52;
    std::uint64_t framed = message + (message < 126 ? websocket : long_websocket);
    framed += (framed / record_bytes + 1) * record;
    std::uint64_t segments = (framed + segment_bytes - 1) / segment_bytes;
    return {.sent = framed + segments * headers, .received = (segments + 1) / 2 * headers};
}

inline void count_sent(Use& use, std::size_t message) {
    Use cost = on_the_way(message);
    use.sent += cost.sent, use.received += cost.received;
}
inline void count_received(Use& use, std::size_t message) {
    Use cost = on_the_way(message);
    use.sent += cost.received, use.received += cost.sent;
}

/// The share of what is sent that has to be sent again, of late: counts are halved when they grow, so that what was long ago fades.
class Loss {
public:
    void add(std::uint64_t sent, std::uint64_t sent_again) {
        sent_ += sent, again_ += sent_again;
        while (sent_ > 128) sent_ /= 2, again_ /= 2;
    }
    std::uint32_t percent() const {
        return sent_ == 0 ? 0 : static_cast<std::uint32_t>(std::min<std::uint64_t>(100, again_ * 100 / sent_));
    }

private:
    std::uint64_t sent_ = 0, again_ = 0;
};

/// How well the way carries, as the end that dials measures it.
struct Path {
    std::uint32_t round_trip_us = 0; ///< 0: not known
    std::uint32_t loss = 0;          ///< percent of what is sent that has to be sent again
    bool operator==(const Path&) const = default;
};

} // namespace skerry::sync
