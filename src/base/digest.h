#pragma once

#include "base/ids.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skerry {

/// A 128-bit keyed hash of some bytes, or the sum of many (a set's digest, kept incrementally). Addition is modulo 2^64 in each
/// half, so that the digest of a set does not depend on the order in which its members came and went.
struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    auto operator<=>(const Digest&) const = default;
    Digest& operator+=(Digest other) {
        high += other.high, low += other.low;
        return *this;
    }
    Digest& operator-=(Digest other) {
        high -= other.high, low -= other.low;
        return *this;
    }

    std::string bytes() const { return Id{high, low}.bytes(); }
    static Result<Digest> from_bytes(std::string_view bytes);
};

/// XXH3-128 under a key. Finds accidents; a peer that holds the key could forge it, but only against its own slice.
Digest keyed_digest(std::uint64_t key, std::string_view bytes);

/// SHA-256, in one go or in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void add(std::string_view bytes);
    /// 32 bytes. Call once, last.
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// 32 bytes.
std::string sha256(std::string_view bytes);

} // namespace skerry
