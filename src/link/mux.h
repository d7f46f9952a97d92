#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::link {

class Mux;

/// What a stream is for, chosen by its opener: "logs", "blob/sha256:…", with parameters.
struct Target {
    std::string name;                                            ///< at most 4 KiB
    std::vector<std::pair<std::string, std::string>> parameters; ///< at most 32, 16 KiB together
    std::string_view get(std::string_view key) const;
};

/// One of many byte streams on a wire, both ways at once.
///
/// Each direction ends on its own (`end`); `reset` ends both at once. A stream lives in its Mux until both directions ended, or
/// one side reset it, or the wire closed (which counts as a reset). Callbacks hold no strong reference to their own stream, or
/// they keep it for ever.
class Stream : public std::enable_shared_from_this<Stream> {
public:
    /// Takes as much as fits into the outgoing buffer (`buffer`) and returns how many bytes; 0 after `end` or a reset.
    std::size_t write(std::string_view bytes);
    /// Room in the outgoing buffer.
    std::size_t room() const;
    /// No more bytes from this side; those buffered are still delivered.
    void end();
    /// Both directions are over, what is buffered is dropped. No callback follows here; the other side's on_reset gets `why`.
    void reset(std::string why = "cancelled");

    /// Room came up after a `write` that was cut short.
    void on_writable(std::function<void()> f) { on_writable_ = std::move(f); }
    /// Bytes that arrive before this is set wait, within the window.
    void on_bytes(std::function<void(std::string)>);
    void on_end(std::function<void()>);
    void on_reset(std::function<void(std::string why)>);
    /// By default bytes count as used up when on_bytes returns. By hand, the sender's window reopens only with `consumed`: for
    /// receivers that pass the bytes on to something slower than they are (a disk, an HTTP client).
    void consume_by_hand() { by_hand_ = true; }
    void consumed(std::size_t bytes);

    const Target& target() const { return target_; }
    std::uint32_t id() const { return id_; }
    bool is_open() const { return !over_; }

    static constexpr std::size_t buffer = 256 << 10;

private:
    friend class Mux;
    Stream(Mux& mux, std::uint32_t id, Target target) : mux_(&mux), id_(id), target_(std::move(target)) {}
    void deliver();
    void finish(std::string why);
    void drop_calls();

    Mux* mux_; // none once over
    std::uint32_t id_;
    Target target_;
    std::string out_;           // not yet framed
    std::size_t out_start_ = 0; // framed already
    std::size_t send_window_ = 0;
    std::size_t receive_window_ = 0; // what the other side may still send
    std::size_t unacknowledged_ = 0; // consumed, credit not yet sent
    std::size_t unconsumed_ = 0;
    std::string in_; // arrived before on_bytes was set
    bool by_hand_ = false;
    bool starved_ = false; // a write was cut short
    bool ended_ = false;   // by us
    bool end_sent_ = false;
    bool end_arrived_ = false;
    bool end_told_ = false;
    bool over_ = false;
    bool queued_ = false; // in the Mux's turn list
    std::string why_;
    bool reset_untold_ = false;
    std::function<void()> on_writable_;
    std::function<void(std::string)> on_bytes_;
    std::function<void()> on_end_;
    std::function<void(std::string)> on_reset_;
};

/// Which ids a side gives its streams: the dialler odd ones, the acceptor even ones.
enum class Side : std::uint8_t { dialler, acceptor };

struct MuxOptions {
    Side side = Side::dialler;
    std::size_t max_streams = 64;   ///< open at once, per direction of opening; further ones are reset (theirs) or refused (ours)
    std::size_t window = 256 << 10; ///< bytes a stream's peer may send ahead of consumption; at least 256 KiB
};

/// Many streams on one wire, without I/O of its own. One message is one frame:
///
///     type (1 byte) | stream (varint) | rest
///     open          | name, then parameters: each text with its length as varint before it
///     bytes         | 1 … 16 KiB of payload
///     credit        | varint: the receiver of this may send that many bytes more
///     end           | nothing
///     reset         | why, at most 512 bytes
///
/// Both windows of a new stream are 256 KiB. Frames for streams that this side has finished are dropped; frames for streams that
/// never were, ids out of order, bytes beyond the window and anything malformed end the wire (`on_broken`), since the peer cannot
/// be trusted any more. Streams with something to send take turns of one frame of at most 16 KiB.
class Mux {
public:
    struct Output {
        std::function<void(std::string)> send;
        /// What `send` took and the network has not; from `hold_back` on the Mux waits for `drained`, so the wire must tell it
        /// when it falls below that.
        std::function<std::size_t()> unsent;
        /// Told of each message, for which stream's target it crosses, in which direction. Null: nobody counts.
        std::function<void(const Target&, bool sent, std::size_t bytes)> counted = {};
    };
    static constexpr std::size_t hold_back = 256 << 10;
    static constexpr std::size_t first_window = 256 << 10;
    static constexpr std::size_t frame_limit = 16 << 10;

    Mux(MuxOptions, Output);
    /// Resets every stream ("the wire is down"); their callbacks run.
    ~Mux();
    Mux(const Mux&) = delete;
    Mux& operator=(const Mux&) = delete;

    /// The peer opened a stream. Dropping it without setting callbacks leaves it to the peer's patience: reset what is not
    /// wanted.
    void on_open(std::function<void(std::shared_ptr<Stream>)> f) { on_open_ = std::move(f); }
    /// The peer broke the protocol: close the wire with this reason. Every stream was reset before.
    void on_broken(std::function<void(std::string why)> f) { on_broken_ = std::move(f); }

    /// `exhausted` at max_streams, `unavailable` when the wire is down, `invalid` for a target beyond its limits.
    Result<std::shared_ptr<Stream>> open(Target);

    void arrived(std::string_view message);
    void drained();
    /// The wire went down: resets every stream with `why`.
    void down(std::string why);

    std::size_t streams() const { return streams_.size(); }

private:
    friend class Stream;
    Result<void> take(std::string_view message);
    Result<void> take_open(std::uint32_t id, std::string_view rest, std::size_t message_bytes);
    void count(std::uint32_t id, bool sent, std::size_t bytes);
    void frame(char type, std::uint32_t id, std::string_view rest);
    void want_turn(Stream&);
    void pump();
    std::shared_ptr<Stream> add(std::uint32_t id, Target target);
    void widen(std::uint32_t id);
    void forget_if_over(std::uint32_t id);
    void forget(std::uint32_t id);
    bool is_ours(std::uint32_t id) const { return (id % 2 == 1) == (options_.side == Side::dialler); }

    MuxOptions options_;
    Output output_;
    std::map<std::uint32_t, std::shared_ptr<Stream>> streams_;
    std::deque<std::uint32_t> turns_;
    std::uint32_t next_id_;
    std::uint32_t last_theirs_ = 0;
    std::size_t ours_open_ = 0;
    std::size_t theirs_open_ = 0;
    bool down_ = false;
    bool pumping_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::function<void(std::shared_ptr<Stream>)> on_open_;
    std::function<void(std::string)> on_broken_;
};

} // namespace skerry::link
