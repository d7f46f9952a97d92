#include "link/mux.h"

#include "base/check.h"

#include <algorithm>
#include <optional>

namespace skerry::link {

namespace {

constexpr char open_type = 'o', bytes_type = 'b', credit_type = 'c', end_type = 'e', reset_type = 'r';
constexpr std::size_t name_limit = 4 << 10, parameters_limit = 16 << 10, parameter_count = 32, why_limit = 512;
constexpr std::size_t window_limit = 1 << 30;
/// Answers owed to a peer that reads nothing end here.
constexpr std::size_t backlog_limit = 1 << 20;

void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}

std::optional<std::uint32_t> take_varint(std::string_view& in) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35 && !in.empty(); shift += 7) {
        auto byte = static_cast<unsigned char>(in[0]);
        in.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<std::string> take_text(std::string_view& in) {
    auto size = take_varint(in);
    if (!size || *size > in.size()) return std::nullopt;
    std::string text(in.substr(0, *size));
    in.remove_prefix(*size);
    return text;
}

Result<void> check_target(const Target& target) {
    std::size_t size = 0;
    for (const auto& [key, value] : target.parameters) size += key.size() + value.size();
    if (target.name.empty() || target.name.size() > name_limit || target.parameters.size() > parameter_count ||
        size > parameters_limit)
        return fail(Code::invalid,
                    "a stream's target needs a name of at most 4 KiB and at most 32 parameters of 16 KiB together");
    return {};
}

} // namespace

std::string_view Target::get(std::string_view key) const {
    for (const auto& [name, value] : parameters)
        if (name == key) return value;
    return {};
}

// Stream

std::size_t Stream::room() const { return ended_ || over_ ? 0 : buffer - std::min(buffer, out_.size() - out_start_); }

std::size_t Stream::write(std::string_view bytes) {
    auto size = std::min(bytes.size(), room());
    if (size < bytes.size() && !ended_ && !over_) starved_ = true;
    if (size == 0) return 0;
    out_.append(bytes.substr(0, size));
    mux_->want_turn(*this);
    mux_->pump();
    return size;
}

void Stream::end() {
    if (over_ || std::exchange(ended_, true)) return;
    mux_->want_turn(*this);
    mux_->pump();
}

void Stream::reset(std::string why) {
    if (over_) return;
    auto* mux = mux_;
    auto id = id_;
    if (why.size() > why_limit) why.resize(why_limit);
    over_ = true;
    auto self = mux->streams_.at(id);
    drop_calls();
    mux->frame(reset_type, id, why);
    mux->forget(id);
}

void Stream::on_bytes(std::function<void(std::string)> call) {
    on_bytes_ = std::move(call);
    deliver();
}

void Stream::on_end(std::function<void()> call) {
    on_end_ = std::move(call);
    deliver();
}

void Stream::on_reset(std::function<void(std::string)> call) {
    on_reset_ = std::move(call);
    if (std::exchange(reset_untold_, false)) {
        auto tell = std::exchange(on_reset_, nullptr);
        if (tell) tell(why_);
    }
}

void Stream::consumed(std::size_t bytes) {
    bytes = std::min(bytes, unconsumed_);
    unconsumed_ -= bytes;
    unacknowledged_ += bytes;
    if (over_ || mux_ == nullptr || end_arrived_ || unacknowledged_ < mux_->options_.window / 4) return;
    receive_window_ += unacknowledged_;
    std::string rest;
    put_varint(rest, std::exchange(unacknowledged_, 0));
    mux_->frame(credit_type, id_, rest);
}

/// Hands over what has arrived, as far as somebody wants it.
void Stream::deliver() {
    auto self = weak_from_this().lock();
    if (on_bytes_ && !in_.empty()) {
        auto piece = std::exchange(in_, {});
        auto size = piece.size();
        auto call = on_bytes_;
        call(std::move(piece));
        if (!by_hand_) consumed(size);
    }
    if (end_arrived_ && in_.empty() && !end_told_ && on_end_) {
        end_told_ = true;
        auto call = on_end_;
        call();
    }
    if (over_ && in_.empty() && (end_told_ || !on_end_)) drop_calls();
}

/// Reset by the other side, or the wire is down.
void Stream::finish(std::string why) {
    if (std::exchange(over_, true)) return;
    why_ = std::move(why);
    out_.clear();
    in_.clear();
    auto tell = std::exchange(on_reset_, nullptr);
    drop_calls();
    reset_untold_ = !tell;
    if (tell) tell(why_);
}

/// What callbacks hold is let go of, or a stream held by its own callback would stay for ever.
void Stream::drop_calls() {
    on_writable_ = nullptr;
    on_bytes_ = nullptr;
    on_end_ = nullptr;
    on_reset_ = nullptr;
}

// Mux

Mux::Mux(MuxOptions options, Output output) : options_(options), output_(std::move(output)) {
    CHECK(options_.window >= first_window && options_.window <= window_limit, "a mux window outside its range");
    next_id_ = options_.side == Side::dialler ? 1 : 2;
}

Mux::~Mux() {
    *alive_ = false;
    down("the wire is down");
}

void Mux::count(std::uint32_t id, bool sent, std::size_t bytes) {
    if (!output_.counted) return;
    static const Target nothing;
    auto found = streams_.find(id);
    output_.counted(found == streams_.end() ? nothing : found->second->target_, sent, bytes);
}

void Mux::frame(char type, std::uint32_t id, std::string_view rest) {
    if (down_) return;
    std::string message;
    message.reserve(6 + rest.size());
    message += type;
    put_varint(message, id);
    message += rest;
    count(id, true, message.size());
    output_.send(std::move(message));
}

std::shared_ptr<Stream> Mux::add(std::uint32_t id, Target target) {
    std::shared_ptr<Stream> stream(new Stream(*this, id, std::move(target)));
    stream->send_window_ = first_window;
    stream->receive_window_ = options_.window;
    streams_.emplace(id, stream);
    ++(is_ours(id) ? ours_open_ : theirs_open_);
    return stream;
}

Result<std::shared_ptr<Stream>> Mux::open(Target target) {
    TRY_VOID(check_target(target));
    if (down_ || next_id_ > UINT32_MAX - 2) return fail(Code::unavailable, "the wire is down");
    if (ours_open_ >= options_.max_streams) return fail(Code::exhausted, "too many streams are open on this wire");
    auto id = next_id_;
    next_id_ += 2;
    std::string rest;
    auto put_text = [&](std::string_view text) {
        put_varint(rest, text.size());
        rest += text;
    };
    put_text(target.name);
    for (const auto& [key, value] : target.parameters) {
        put_text(key);
        put_text(value);
    }
    auto stream = add(id, std::move(target));
    frame(open_type, id, rest);
    widen(id);
    return stream;
}

/// The window beyond the first 256 KiB, which both sides take for granted.
void Mux::widen(std::uint32_t id) {
    if (options_.window == first_window) return;
    std::string rest;
    put_varint(rest, options_.window - first_window);
    frame(credit_type, id, rest);
}

void Mux::arrived(std::string_view message) {
    if (down_) return;
    auto alive = alive_;
    auto taken = take(message);
    if (taken || !*alive) return;
    down(taken.error().message);
    if (*alive && on_broken_) {
        auto call = on_broken_;
        call(taken.error().message);
    }
}

Result<void> Mux::take(std::string_view message) {
    auto wrong = [](std::string_view what) {
        return fail(Code::invalid, "the other side broke the stream protocol: " + std::string(what));
    };
    if (message.empty()) return wrong("empty frame");
    char type = message[0];
    auto rest = message.substr(1);
    auto id = take_varint(rest);
    if (!id || *id == 0) return wrong("frame without a stream");
    if (type != open_type) count(*id, false, message.size());
    if (type == open_type) return take_open(*id, rest, message.size());

    auto found = streams_.find(*id);
    if (type != bytes_type && type != credit_type && type != end_type && type != reset_type)
        return wrong("unknown type of frame");
    if (found == streams_.end()) {
        bool was = is_ours(*id) ? *id < next_id_ : *id <= last_theirs_;
        return was ? Result<void>{} : wrong("frame for a stream that never was");
    }
    auto stream = found->second;
    switch (type) {
    case bytes_type:
        if (rest.empty() || rest.size() > frame_limit) return wrong("bytes of a size out of range");
        if (stream->end_arrived_) return wrong("bytes after the end");
        if (rest.size() > stream->receive_window_) return wrong("bytes beyond the window");
        stream->receive_window_ -= rest.size();
        stream->unconsumed_ += rest.size();
        stream->in_ += rest;
        stream->deliver();
        return {};
    case credit_type: {
        auto credit = take_varint(rest);
        if (!credit || *credit == 0 || !rest.empty()) return wrong("malformed credit");
        if (stream->send_window_ + *credit > window_limit) return wrong("more credit than any window");
        stream->send_window_ += *credit;
        want_turn(*stream);
        pump();
        return {};
    }
    case end_type: {
        if (!rest.empty()) return wrong("malformed end");
        if (std::exchange(stream->end_arrived_, true)) return wrong("two ends");
        auto alive = alive_;
        forget_if_over(*id);
        stream->deliver();
        return {};
    }
    default:
        if (rest.size() > why_limit) return wrong("malformed reset");
        forget(*id);
        stream->finish(std::string(rest));
        return {};
    }
}

Result<void> Mux::take_open(std::uint32_t id, std::string_view rest, std::size_t message_bytes) {
    auto wrong = [](std::string_view what) {
        return fail(Code::invalid, "the other side broke the stream protocol: " + std::string(what));
    };
    if (is_ours(id)) return wrong("a stream opened under an id of ours");
    if (id <= last_theirs_) return wrong("a stream's id used again");
    last_theirs_ = id;
    Target target;
    auto name = take_text(rest);
    if (!name) return wrong("malformed open");
    target.name = std::move(*name);
    while (!rest.empty()) {
        auto key = take_text(rest);
        auto value = key ? take_text(rest) : std::nullopt;
        if (!value || target.parameters.size() == parameter_count) return wrong("malformed open");
        target.parameters.emplace_back(std::move(*key), std::move(*value));
    }
    if (!check_target(target)) return wrong("a target beyond its limits");
    if (output_.unsent() > backlog_limit) return wrong("streams opened faster than their answers are read");
    if (theirs_open_ >= options_.max_streams || !on_open_) {
        frame(reset_type, id, on_open_ ? "too many streams are open on this wire" : "nothing is served on this wire");
        return {};
    }
    auto stream = add(id, std::move(target));
    count(id, false, message_bytes);
    widen(id);
    auto call = on_open_;
    call(std::move(stream));
    return {};
}

void Mux::want_turn(Stream& stream) {
    if (stream.over_ || std::exchange(stream.queued_, true)) return;
    turns_.push_back(stream.id_);
}

/// One frame for each stream in turn, as long as the wire takes them.
void Mux::pump() {
    if (pumping_ || down_) return;
    pumping_ = true;
    auto alive = alive_;
    while (!down_ && !turns_.empty() && output_.unsent() < hold_back) {
        auto id = turns_.front();
        turns_.pop_front();
        auto found = streams_.find(id);
        if (found == streams_.end()) continue;
        auto stream = found->second;
        stream->queued_ = false;
        auto pending = stream->out_.size() - stream->out_start_;
        auto size = std::min({pending, stream->send_window_, frame_limit});
        if (size > 0) {
            frame(bytes_type, id, std::string_view(stream->out_).substr(stream->out_start_, size));
            stream->send_window_ -= size;
            stream->out_start_ += size;
            pending -= size;
            if (pending == 0 || stream->out_start_ >= Stream::buffer / 2) {
                stream->out_.erase(0, stream->out_start_);
                stream->out_start_ = 0;
                if (stream->out_.empty()) stream->out_ = {};
            }
            if (pending > 0 && stream->send_window_ > 0) want_turn(*stream);
        }
        if (pending == 0 && stream->ended_ && !std::exchange(stream->end_sent_, true)) {
            frame(end_type, id, {});
            forget_if_over(id);
        }
        if (stream->starved_ && !stream->over_ && !stream->ended_ && stream->room() >= Stream::buffer / 2) {
            stream->starved_ = false;
            if (auto call = stream->on_writable_) call();
            if (!*alive) return;
        }
    }
    pumping_ = false;
}

void Mux::drained() { pump(); }

void Mux::forget_if_over(std::uint32_t id) {
    auto found = streams_.find(id);
    if (found == streams_.end() || !found->second->end_sent_ || !found->second->end_arrived_) return;
    auto stream = found->second;
    stream->over_ = true;
    forget(id);
    // Who asked not to be told of the end is not told; on_end() may still come.
    if (stream->in_.empty() && (stream->end_told_ || !stream->on_end_)) stream->drop_calls();
}

void Mux::forget(std::uint32_t id) {
    auto found = streams_.find(id);
    if (found == streams_.end()) return;
    found->second->mux_ = nullptr;
    streams_.erase(found);
    --(is_ours(id) ? ours_open_ : theirs_open_);
}

void Mux::down(std::string why) {
    if (std::exchange(down_, true)) return;
    auto streams = std::exchange(streams_, {});
    ours_open_ = theirs_open_ = 0;
    turns_.clear();
    for (auto& [id, stream] : streams) stream->mux_ = nullptr;
    for (auto& [id, stream] : streams) stream->finish(why);
}

} // namespace skerry::link
