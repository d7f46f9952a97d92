#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "trust/identity.h"
#include "trust/keys/seal.h"
#include "trust/succession.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A courier file (rule C1), as bytes. No I/O; whoever writes or reads one holds a piece of it at a time, and the slices.
///
///     "skerry courier file 1\n"
///     length (4 bytes), header: JSON, for everybody to read
///     length (2 bytes), signature of all above by the sender's cell key
///     pieces: length (4 bytes; the top bit: the last one), sealed to the receiver
///
/// Within the pieces: length (4 bytes), contents (JSON), the slices (sync/courier.h), the blobs one behind the other. The header
/// has the hash of the contents, those the hashes of slices and blobs: so the signature covers every byte, also against whoever
/// has the receiver's key.
namespace skerry::link {

struct CourierHeader {
    trust::Identity from, to;
    Id id;
    WallTime made; ///< by the sender's clock
    std::string version;
    std::optional<std::uint64_t> base; ///< numbers of the sender's history, as in sync::Courier; none: everything
    std::uint64_t until = 0;
    std::uint64_t bytes = 0;      ///< within the pieces
    std::string contents;         ///< SHA-256 in hexadecimal
    std::string receiver_key;     ///< fingerprint of the key that opens it
    std::string point;            ///< ephemeral key of the sealing
    std::string chain;            ///< PEM: the sender's certificate and what leads to its authority
    trust::Succession succession; ///< of that authority, from the key on that the receiver follows (rule T3)

    Json json() const;
    static Result<CourierHeader> from_json(const Json&);
};

struct CourierContents {
    struct Blob {
        std::string digest; ///< "sha256:…"
        std::uint64_t size = 0;
    };
    std::string salt; ///< 32 random bytes, so that the header's hash says nothing to those who guess
    std::uint64_t slices = 0;
    std::string slices_hash; ///< hexadecimal
    std::vector<Blob> blobs;
    std::vector<std::string> left_out; ///< images whose bytes are not all here
    std::vector<std::string> wants;    ///< digests of images that the sender's slice needs and whose bytes it lacks

    Json json() const;
    static Result<CourierContents> from_json(const Json&);
};

inline constexpr std::size_t courier_piece = 64 << 10;
inline constexpr std::size_t max_courier_header = 1 << 20, max_courier_contents = 4 << 20;
inline constexpr std::size_t max_courier_slices = 256 << 20;
inline constexpr std::size_t most_courier_blobs = 20'000, most_courier_images = 1'000;

class CourierWriter {
public:
    /// `header` without what follows from the rest. `receiver`: its public key or certificate. `key`: the sender's own.
    static Result<CourierWriter> begin(CourierHeader header, const CourierContents&, std::string_view receiver,
                                       std::string_view key);

    /// What the file begins with: send it first.
    const std::string& beginning() const { return beginning_; }
    /// Of the whole file.
    std::uint64_t size() const { return size_; }
    const CourierHeader& header() const { return header_; }
    /// The slices, then the blobs, in order, in any portions. Returns the next bytes of the file, which may be none.
    Result<std::string> add(std::string_view bytes);
    /// `conflict` unless all of it was added.
    Result<std::string> finish();

private:
    CourierWriter(CourierHeader header, trust::Sealing sealing) : header_(std::move(header)), sealing_(std::move(sealing)) {}

    CourierHeader header_;
    trust::Sealing sealing_;
    std::string beginning_, waiting_;
    std::uint64_t size_ = 0, left_ = 0;
};

class CourierReader {
public:
    /// Judges the sender by header, and the signature over `text`; returns the private key that opens the file.
    using Admit = std::function<Result<std::string>(const CourierHeader&, std::string_view text, std::string_view signature)>;
    explicit CourierReader(Admit admit) : admit_(std::move(admit)) {}

    struct Piece {
        std::size_t blob = 0; ///< which of the contents
        std::uint64_t at = 0;
        std::string bytes;
    };
    /// The next bytes of the file. Returns what came of blobs. Any error is final.
    Result<std::vector<Piece>> take(std::string_view bytes);
    /// All bytes came: `corrupt` where the file is cut short.
    Result<void> end() const;

    /// Once it was admitted; null before.
    const CourierHeader* header() const { return header_ ? &*header_ : nullptr; }
    /// Verified; null before.
    const CourierContents* contents() const { return contents_ ? &*contents_ : nullptr; }
    /// Verified once `end` says so.
    const std::string& slices() const { return slices_; }

private:
    Result<bool> read_beginning();
    Result<bool> read_piece(std::vector<Piece>&);
    Result<void> open(std::string plain, std::vector<Piece>&);

    Admit admit_;
    std::string waiting_; ///< of the file
    std::string opened_;  ///< before the contents are whole
    std::optional<CourierHeader> header_;
    std::optional<trust::Unsealing> unsealing_;
    std::optional<CourierContents> contents_;
    std::string slices_;
    std::uint64_t read_ = 0; ///< of what is within the pieces
    std::size_t blob_ = 0;
    std::uint64_t at_ = 0;
    bool last_ = false;
};

/// The header at the front of a file's first bytes, which nobody vouches for yet.
Result<CourierHeader> read_courier_header(std::string_view beginning);
inline constexpr std::size_t max_courier_beginning = max_courier_header + 1024;

} // namespace skerry::link
