#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::trust {

/// Bytes that only the holder of one P-256 key can read, in pieces, so that gigabytes need the memory of one piece.
///
/// An ephemeral key is drawn for each sealing and agreed upon with the receiver's (ECDH); HKDF-SHA256 over both public keys and a
/// context, which both ends must have alike, gives a key of AES-256-GCM. Each piece is authenticated under its number and whether
/// it is the last one, so pieces that were changed, left out, put elsewhere, or that are missing at the end do not open.
/// It says nothing of who sealed: that is for a signature over the context.
class Sealing {
public:
    /// For whom: the public key of this certificate, or "PUBLIC KEY" in PEM.
    static Result<Sealing> to(std::string_view public_pem);
    Sealing(Sealing&&) noexcept;
    Sealing& operator=(Sealing&&) noexcept;
    ~Sealing();

    /// The ephemeral public key, `point_size` bytes, which the context may contain.
    const std::string& point() const;
    /// Once, before the first piece.
    Result<void> begin(std::string_view context);
    Result<std::string> seal(std::string_view piece, bool last);

    static constexpr std::size_t point_size = 65, tag_size = 16;

private:
    struct State;
    explicit Sealing(std::unique_ptr<State>);
    std::unique_ptr<State> state_;
};

/// The other end.
class Unsealing {
public:
    /// `invalid` for what is no point of the curve.
    static Result<Unsealing> with(std::string_view key_pem, std::string_view point, std::string_view context);
    Unsealing(Unsealing&&) noexcept;
    Unsealing& operator=(Unsealing&&) noexcept;
    ~Unsealing();

    /// `corrupt` unless it is exactly the next piece.
    Result<std::string> open(std::string_view piece, bool last);

private:
    struct State;
    explicit Unsealing(std::unique_ptr<State>);
    std::unique_ptr<State> state_;
};

} // namespace skerry::trust
