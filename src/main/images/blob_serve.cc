#include "main/images/blob_serve.h"

#include "depot/serve.h"

namespace skerry::main {

namespace {
constexpr std::size_t sent_piece = 256 << 10;
}

/// One range on its way out. Its stream's callbacks keep it, until one side is done.
struct BlobServe::Outgoing : std::enable_shared_from_this<Outgoing> {
    Outgoing(env::Workers& workers, std::shared_ptr<link::Stream> stream, std::function<bool()> may_cross)
        : workers(workers), stream(std::move(stream)), may_cross(std::move(may_cross)) {}

    env::Workers& workers;
    std::shared_ptr<link::Stream> stream;
    std::function<bool()> may_cross;
    std::string line;
    std::shared_ptr<depot::Serve> serve; ///< none until the range is granted
    std::string waiting;
    bool answered = false, reading = false, over = false;

    void answer(const depot::RangeAnswer& answer) {
        waiting = answer.text();
        answered = true;
        push();
    }
    void push() {
        if (!answered || over || reading) return;
        if (!may_cross()) {
            over = true;
            return stream->reset(std::string(held) + "the uplink's budget is used up, or its window closed");
        }
        waiting.erase(0, stream->write(waiting));
        if (!waiting.empty()) return;
        if (!serve || serve->left() == 0) {
            over = true;
            return stream->end();
        }
        reading = true;
        auto bytes = std::make_shared<Result<std::string>>(std::string());
        workers.run(
            {}, [serve = serve, bytes] { *bytes = serve->next(sent_piece); },
            [weak = weak_from_this(), bytes] {
                auto self = weak.lock();
                if (!self) return;
                self->reading = false;
                if (self->over) return;
                if (!*bytes) {
                    self->over = true;
                    return self->stream->reset(bytes->error().message);
                }
                self->waiting = std::move(**bytes);
                self->push();
            });
    }
};

BlobServe::BlobServe(env::Env env, const depot::Depot& depot, Tunnel& tunnel, BlobFetch& fetch)
    : env_(env), depot_(depot), tunnel_(tunnel), fetch_(fetch) {
    tunnel_.serve(Tunnel::From::child, "blob",
                  [this](const env::Peer& child, std::shared_ptr<link::Stream> stream) { serve(child, std::move(stream)); });
}

void BlobServe::serve(const env::Peer& child, std::shared_ptr<link::Stream> stream) {
    auto out = std::make_shared<Outgoing>(env_.workers, stream, [this, child] { return tunnel_.child_room(child) != 0; });
    stream->on_writable([out] { out->push(); });
    stream->on_reset([out](std::string) { out->over = true; });
    stream->on_bytes([this, weak = std::weak_ptr(out)](std::string bytes) {
        auto out = weak.lock();
        if (!out || out->over) return;
        out->line += bytes;
        std::size_t end = out->line.find('\n');
        if (end == std::string::npos) {
            if (out->line.size() > depot::RangeAnswer::max_line) out->stream->reset("the request has no end");
            return;
        }
        auto request = depot::RangeRequest::parse(std::string_view(out->line).substr(0, end));
        if (out->answered || out->serve) return out->stream->reset("one request for each stream");
        out->line.clear();
        if (!request) return out->stream->reset(request.error().message);
        out->serve = std::make_shared<depot::Serve>(depot_, *request);
        open(out, *request);
    });
}

void BlobServe::open(const std::shared_ptr<Outgoing>& out, const depot::RangeRequest& request) {
    struct Found {
        depot::RangeAnswer answer;
        bool here = false;
    };
    auto found = std::make_shared<Found>();
    env_.workers.run(
        {},
        [this, found, serve = out->serve, digest = request.digest] {
            found->answer = serve->begin();
            found->here = found->answer.granted || depot_.has(digest).value_or(false);
        },
        [this, found, out, request] {
            if (out->over) return;
            if (!found->here && tunnel_.has_parent()) return fetch(out, request);
            if (!found->answer.granted) out->serve.reset();
            out->answer(found->answer);
        });
}

/// From where this cell itself stopped, though a child may ask before it does.
void BlobServe::fetch(const std::shared_ptr<Outgoing>& out, const depot::RangeRequest& request) {
    auto have = std::make_shared<std::uint64_t>(0);
    env_.workers.run(
        BlobFetch::lane, [this, have, digest = request.digest] { *have = depot_.have(digest).value_or(0); },
        [this, have, out, request] {
            fetch_.want({{.digest = request.digest, .size = {}, .have = *have}}, [this, out, request](Result<void> got) {
                if (out->over) return;
                if (got) return open(out, request);
                out->serve.reset();
                out->answer(depot::RangeAnswer::no(got.error().message));
            });
        });
}

} // namespace skerry::main
