#include "main/images/blob_fetch.h"

#include "base/log.h"
#include "depot/range.h"
#include "main/images/blob_serve.h"

#include <algorithm>
#include <utility>

namespace skerry::main {

namespace {

/// On a path of 600 ms it is still 1.7 MiB a second.
constexpr depot::Fetch::Limits limits{.range = 256 << 10, .window = 1 << 20};
/// Small blobs fill no window, but a wire has room for only so many streams (link::MuxOptions::max_streams).
constexpr std::size_t most_streams = 32;
constexpr Duration stream_again = 200ms;
/// A stream and its request are worth the bytes for this much.
constexpr std::uint64_t least_room = 16 << 10;
static_assert(least_room / 16 * 17 <= sync::Meter::least_bulk);
/// After the source said that nothing may cross; each time costs some hundred bytes.
constexpr Duration held_again = 10min;

} // namespace

/// One range on its way in.
struct BlobFetch::Incoming {
    depot::RangeRequest request; ///< as it was planned
    depot::RangeRequest asked;   ///< the same, or its beginning where there was no room for more
    std::shared_ptr<link::Stream> stream;
    std::string head;
    bool answered = false;
    std::uint64_t at = 0;

    std::uint64_t end() const { return asked.offset + asked.length; }
};

BlobFetch::BlobFetch(env::Env env, depot::Depot& depot, Tunnel& tunnel)
    : env_(env), depot_(depot), tunnel_(tunnel), fetch_(limits) {
    fetch_.link_lost();
    tunnel_.on_parent([this](bool up) {
        if (!up) {
            incoming_.clear();
            return fetch_.link_lost();
        }
        fetch_.link_back();
        pump();
    });
}

BlobFetch::~BlobFetch() { tunnel_.on_parent({}); }

std::string BlobFetch::want(std::vector<depot::Want> wants, std::function<void(Result<void>)> done) {
    std::string wish = std::to_string(next_wish_++);
    wishes_[wish] = std::move(done);
    for (auto& want : wants) {
        // A refusal from before does not count for a new wish.
        fetch_.retry(want.digest);
        fetch_.want(wish, std::move(want));
    }
    env_.timers.post([this] {
        settle();
        pump();
    });
    return wish;
}

void BlobFetch::check_wishes() {
    std::vector<std::pair<std::string, Result<void>>> ready;
    for (auto& [wish, done] : wishes_) {
        auto progress = fetch_.progress(wish);
        if (progress.is_done())
            ready.emplace_back(wish, Result<void>{});
        else if (!progress.refusals.empty())
            ready.emplace_back(wish, fail(Code::not_found, progress.refusals.front()));
    }
    for (auto& [wish, outcome] : ready) {
        auto found = wishes_.find(wish);
        if (found == wishes_.end()) continue; // told within the call of another
        auto done = std::move(found->second);
        wishes_.erase(found);
        for (auto& digest : fetch_.unwant(wish))
            env_.workers.run(
                lane, [this, digest] { (void)depot_.suspend(digest); }, [] {});
        done(std::move(outcome));
    }
}

void BlobFetch::here(const depot::Digest& digest) {
    fetch_.verified(digest);
    check_wishes();
}

void BlobFetch::pump() {
    while (!stuck_ && incoming_.size() < most_streams) {
        auto request = fetch_.next();
        if (!request) break;
        if (room() < least_room) {
            fetch_.broke_off(*request);
            hold();
            break;
        }
        if (!start(*request)) break;
    }
    check_wishes();
}

/// What may still be asked for, after what is on its way. Headers are some bytes in each hundred.
std::uint64_t BlobFetch::room() const {
    auto room = tunnel_.parent_room();
    if (!room) return ~std::uint64_t{0};
    std::uint64_t coming = 0;
    for (const IncomingPtr& incoming : incoming_) coming += incoming->end() - incoming->at;
    coming += coming / 16;
    return *room > coming ? *room - coming : 0;
}

/// What was asked for while there was room may come; outside of a window nothing may.
void BlobFetch::hold() {
    if (tunnel_.parent_room() == 0) {
        for (const IncomingPtr& incoming : std::exchange(incoming_, {})) {
            incoming->stream->reset("the budget is used up, or the window closed");
            env_.workers.run(
                lane, [] {}, [this, request = incoming->request] { fetch_.broke_off(request); });
        }
    }
    if (incoming_.empty() && !std::exchange(held_, true) && on_held_) on_held_();
}

/// The source counted more than we did.
void BlobFetch::wait() {
    stuck_ = env_.timers.after(held_again, [this] {
        stuck_.reset();
        held_ = false;
        pump();
    });
    if (!std::exchange(held_, true) && on_held_) on_held_();
}

void BlobFetch::look() {
    if (tunnel_.parent_room() == 0) {
        if (!incoming_.empty()) hold();
        return;
    }
    stuck_.reset();
    held_ = false;
    pump();
}

bool BlobFetch::start(const depot::RangeRequest& request) {
    depot::RangeRequest asked = request;
    asked.length = std::min(asked.length, room() / 17 * 16);
    auto stream = tunnel_.open_parent({"blob", {}});
    if (!stream) {
        fetch_.broke_off(request);
        stuck_ = env_.timers.after(stream_again, [this] {
            stuck_.reset();
            pump();
        });
        return false;
    }
    auto incoming = std::make_shared<Incoming>(
        Incoming{.request = request, .asked = asked, .stream = *stream, .head = {}, .at = request.offset});
    incoming_.insert(incoming);
    std::weak_ptr<Incoming> weak = incoming;
    incoming->stream->consume_by_hand();
    incoming->stream->on_bytes([this, weak](std::string bytes) {
        if (auto incoming = weak.lock()) arrived(incoming, std::move(bytes));
    });
    incoming->stream->on_end([this, weak] {
        if (auto incoming = weak.lock()) over(incoming);
    });
    incoming->stream->on_reset([this, weak](std::string why) {
        auto incoming = weak.lock();
        if (!incoming) return;
        if (why.starts_with(BlobServe::held)) wait();
        over(incoming);
    });
    incoming->stream->write(asked.text());
    incoming->stream->end();
    return true;
}

void BlobFetch::arrived(const IncomingPtr& incoming, std::string bytes) {
    if (!incoming->answered) bytes = take_head(incoming, std::move(bytes));
    if (!bytes.empty()) write(incoming, std::move(bytes));
}

/// What of the bytes is behind the first line.
std::string BlobFetch::take_head(const IncomingPtr& incoming, std::string bytes) {
    std::size_t size = bytes.size();
    incoming->head += bytes;
    std::size_t end = incoming->head.find('\n');
    if (end == std::string::npos) {
        incoming->stream->consumed(size);
        if (incoming->head.size() > depot::RangeAnswer::max_line) refuse(incoming, "the source's answer has no first line");
        return {};
    }
    auto answer = depot::RangeAnswer::parse(std::string_view(incoming->head).substr(0, end));
    if (!answer || !answer->granted) {
        refuse(incoming, answer ? answer->why : answer.error().message);
        return {};
    }
    incoming->answered = true;
    auto digest = incoming->request.digest;
    if (!fetch_.offered(digest, answer->size)) {
        drop(incoming, "this blob is not wanted, or has another size");
        check_wishes();
        return {};
    }
    auto opened = std::make_shared<Result<std::uint64_t>>(0);
    env_.workers.run(
        lane, [this, digest, whole = answer->size, opened] { *opened = depot_.open_partial(digest, whole); },
        [this, request = incoming->request, opened] {
            if (*opened || !fetch_.awaits(request)) return;
            fetch_.refused(request.digest, opened->error().message);
            check_wishes();
        });
    settle(); // where all its bytes were here already
    std::string rest = incoming->head.substr(end + 1);
    incoming->head.clear();
    incoming->stream->consumed(size - rest.size());
    return rest;
}

void BlobFetch::write(const IncomingPtr& incoming, std::string bytes) {
    std::size_t size = bytes.size();
    std::uint64_t at = incoming->at;
    if (size > incoming->end() - at) return refuse(incoming, "the source sends more than it was asked for");
    incoming->at += size;
    auto written = std::make_shared<Result<std::uint64_t>>(0);
    env_.workers.run(
        lane,
        [this, digest = incoming->request.digest, at, bytes = std::move(bytes), written] {
            *written = depot_.write(digest, at, bytes);
        },
        [this, request = incoming->request, at, size, written, weak = std::weak_ptr(incoming)] {
            auto incoming = weak.lock();
            // Only what is in the depot has arrived.
            bool counts = *written && fetch_.arrived(request, at, size);
            if (counts && incoming) incoming->stream->consumed(size);
            if (!counts && incoming) drop(incoming, "no longer wanted");
            if (!*written && fetch_.awaits(request)) fetch_.refused(request.digest, written->error().message);
            settle();
            pump();
        });
}

void BlobFetch::over(const IncomingPtr& incoming) {
    if (!incoming_.erase(incoming)) return;
    // Pieces may still be on their way to the disk, in order: what is owed is known behind them.
    env_.workers.run(
        lane, [] {},
        [this, request = incoming->request] {
            fetch_.broke_off(request);
            pump();
        });
}

void BlobFetch::drop(const IncomingPtr& incoming, std::string why) {
    if (incoming_.erase(incoming)) incoming->stream->reset(std::move(why));
}

void BlobFetch::refuse(const IncomingPtr& incoming, std::string why) {
    if (fetch_.awaits(incoming->request)) fetch_.refused(incoming->request.digest, why);
    drop(incoming, std::move(why));
    check_wishes();
}

void BlobFetch::settle() {
    for (auto& digest : fetch_.take_complete()) {
        auto outcome = std::make_shared<Result<void>>();
        env_.workers.run(
            lane,
            [this, digest, outcome] {
                // All bytes may have come before a restart of ours, which closed the transfer.
                if (auto have = depot_.have(digest)) (void)depot_.open_partial(digest, *have);
                *outcome = depot_.finish(digest);
            },
            [this, digest, outcome] {
                if (*outcome) {
                    fetch_.verified(digest);
                    log(Level::debug, "images", "{} is here", digest.text());
                } else {
                    log(Level::warning, "images", "{}", outcome->error().message);
                    fetch_.spoiled(digest, outcome->error().message);
                }
                pump();
            });
    }
}

} // namespace skerry::main
