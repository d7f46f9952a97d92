#pragma once

#include "base/result.h"
#include "sync/flow.h"
#include "sync/item.h"
#include "sync/lease.h"
#include "sync/radix.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Frames as values, and their bytes (frames.proto). Everything read is bounded; what breaks a bound is an error with a reason.
namespace skerry::sync {

/// The formats this build speaks: raised by a change that an older cell must not skip. 1 exchanged lists of all digests; in 3 beats
/// leave out digests that have not changed.
inline constexpr std::uint32_t frame_format = 3, lowest_frame_format = 2;
inline constexpr std::uint32_t short_beats_format = 3;
/// Longest message on a wire; what a frame aims to stay below is a little less, for the bytes around items.
inline constexpr std::size_t max_message = 64 << 10;
inline constexpr std::size_t frame_target = max_message - (2 << 10);
/// Items and removals of one frame: one transaction of the receiver (rule S4).
inline constexpr std::size_t max_frame_items = 128;
/// What a sender puts into one. That transaction has as many notes at most, and each seal is one, beside the cursor's.
inline constexpr std::size_t most_sent_items = 120;
inline constexpr std::size_t max_frame_bytes = 1 << 20;
/// Largest content of one item; below S4's bound with room for the rest.
inline constexpr std::size_t max_item_bytes = 800 << 10;
/// Batch frames of a lane that may be sent and not acknowledged: bounds the receiver's memory.
inline constexpr std::size_t window = 4;
/// Entries of one frame of a descent, and ranges.
inline constexpr std::size_t max_listed = 1'900;
inline constexpr std::size_t max_ranges = 4'096;
/// Openings of a store that a courier file tells of, the newest.
inline constexpr std::size_t most_openings = 256;
/// Key hashes of one recall, of which one at a time is under way.
inline constexpr std::size_t max_recalled = 128;
inline constexpr std::size_t max_seal_bytes = 32;
/// Items of one slice.
inline constexpr std::size_t max_slice_items = 400'000;

/// What the writer of a hello holds of the other's slice.
struct Held {
    Lane lane = Lane::desired;
    std::uint32_t count = 0;
    Digest digest;
    std::optional<Cursor> cursor;
    std::optional<Cursor> open = {}; ///< some of a batch is held, and its end is not: as of where it is
};

struct Hello {
    std::uint32_t format = frame_format; ///< the highest
    std::uint32_t lowest_format = lowest_frame_format;
    std::string version;
    CellId cell;
    IncarnationId incarnation;
    std::string boot_id;
    std::uint32_t role = 0;
    std::string name;
    std::uint32_t beat_ms = 0; ///< 0: none given
    std::vector<Held> held;
};

struct Beat {
    std::uint64_t down[lanes] = {};
    std::uint64_t up[lanes] = {};
    bool busy = false;
    bool same = false; ///< digests as in the last beat that told them; they are not told again
    std::optional<LeaseRequest> lease;
    std::optional<Path> path; ///< where it has changed
};

struct BatchItem {
    std::optional<std::uint64_t> hash; ///< low half of the key's hash; crosses instead of the key, where the receiver has it
    Item item;
};

struct Batch {
    Lane lane = Lane::desired;
    std::vector<BatchItem> items;
    std::vector<Digest> removed;
    std::optional<Number> close;
    std::optional<Number> as_of = {}; ///< where more of the batch follows
    std::uint64_t digest = 0;         ///< low half, of all that the receiver should hold after `close`
};

struct Ack {
    std::uint32_t frames[lanes] = {};
    bool differs[lanes] = {};
};

struct Listed {
    Digest hash;
    Digest digest;
};

/// A range with the sums of its parts, or with all that is in it, or with nothing: a question.
struct RangeSums {
    Range range;
    std::uint8_t split = 0; ///< 0: no sums
    std::vector<std::uint32_t> sums;
    std::vector<Listed> entries;
};

struct Ranges {
    Lane lane = Lane::desired;
    bool answer = false;
    std::uint8_t word = 0;
    std::vector<RangeSums> ranges;
    bool last = false;
};

/// 32 bits of a digest.
constexpr std::uint32_t word_of(const Digest& digest, unsigned word) {
    return static_cast<std::uint32_t>((word < 2 ? digest.low : digest.high) >> (word % 2 * 32));
}
inline constexpr unsigned words = 4;

struct Verify {
    Lane lane = Lane::desired;
};

struct Settings {
    std::uint32_t beat_ms = 0;
    std::vector<std::string> names_taken = {};
};
inline constexpr std::size_t most_names_taken = 16;

struct Bye {
    std::string reason;
    std::uint32_t come_back_ms = 0; ///< 0: as the child sees fit
};

struct Fragment {
    Lane lane = Lane::desired;
    std::string content;
    bool last = false;
};

/// Asks the receiver of a slice what it holds (rule H3).
struct Recall {
    Lane lane = Lane::desired;
    std::vector<Digest> hashes;
};

struct Returned {
    Lane lane = Lane::desired;
    std::vector<Item> items;
    bool last = false;
};

/// Answers a lease request (rule F1).
struct Grant {
    std::uint32_t number = 0;
    std::uint32_t length_ms = 0; ///< 0: refused
    std::uint64_t holder = 0;    ///< see lease_holder
    std::string reason;
};

/// Begins the slices of a courier file (rule C1); see courier.h.
struct Courier {
    CellId from, to;
    std::vector<Cursor> history;    ///< openings of the sender's store, each with its durable head; the present one last
    std::optional<Cursor> base;     ///< none: all items are here
    Number until[lanes] = {};       ///< as of when the slices are, in the present opening
    bool keep_unknown = false;      ///< what the receiver holds beyond the listings stays (rule H3)
    std::optional<Cursor> held;     ///< what the sender holds of the receiver's desired slice; none: it asks for all of it
    std::optional<Cursor> recovers; ///< what the receiver said to hold and the sender's store does not know (rule H3)
};

/// Some of all that the receiver of a courier file should hold.
struct Listing {
    Lane lane = Lane::desired;
    std::vector<Listed> entries;
};

/// Of a number that this build does not know: to be skipped.
struct Unknown {};

/// The highest format that the writer of this hello and we both speak; none: the two cannot talk.
std::optional<std::uint32_t> common_format(const Hello&);

using Frame = std::variant<Hello, Beat, Batch, Ack, Ranges, Verify, Settings, Bye, Fragment, Grant, Courier, Listing, Recall,
                           Returned, Unknown>;

/// The lane it is counted for; acknowledgements, which speak of two, as `desired`.
Flow flow_of(const Frame&);
constexpr Flow flow_of(Lane lane) { return lane == Lane::desired ? Flow::desired : Flow::status; }

std::string encode(const Frame&);
/// `longest` is `max_message`, or `max_frame_bytes` for what was put together from fragments.
Result<Frame> decode(std::string_view bytes, std::size_t longest = max_message);

} // namespace skerry::sync
