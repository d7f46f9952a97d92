#include "main/image_bytes.h"

#include "base/log.h"
#include "base/units.h"
#include "depot/range.h"
#include "depot/serve.h"
#include "model/image.pb.h"
#include "model/revision.pb.h"
#include "oci/manifest.h"

#include <algorithm>

namespace skerry::main {

namespace {

constexpr Duration sweep_period = 10min;
constexpr Duration spare_time = 1h;
/// What is behind a gap does not survive a crash of ours, so little is asked for at once; on a path of 600 ms it is still 1.7 MiB
/// a second.
constexpr depot::Fetch::Limits limits{.range = 256 << 10, .window = 1 << 20};

/// Blobs an image needs on this platform, or the documents missing to know them.
struct Needed {
    std::vector<depot::Want> missing;
};

Result<depot::Digest> digest_of(const std::string& text) { return depot::Digest::parse(text); }

/// Looks at what is here. Blocks.
Result<Needed> look(const depot::Depot& depot, const depot::Digest& top, const oci::Platform& host) {
    Needed needed;
    auto miss = [&](const depot::Digest& digest, std::optional<std::uint64_t> size) -> Result<void> {
        needed.missing.push_back({.digest = digest, .size = size, .have = TRY(depot.have(digest))});
        return {};
    };
    if (!TRY(depot.has(top))) {
        TRY_VOID(miss(top, {}));
        return needed;
    }
    std::string document = TRY(depot.read_whole(top));
    if (TRY(oci::document_kind(document)) == oci::Document::index) {
        oci::Descriptor chosen = TRY(oci::choose(TRY(oci::parse_index(document)), host));
        depot::Digest digest = TRY(digest_of(chosen.digest));
        if (!TRY(depot.has(digest))) {
            TRY_VOID(miss(digest, static_cast<std::uint64_t>(chosen.size)));
            return needed;
        }
        document = TRY(depot.read_whole(digest));
    }
    oci::Manifest manifest = TRY(oci::parse_manifest(document));
    std::vector<oci::Descriptor> blobs = manifest.layers;
    blobs.push_back(manifest.config);
    std::set<std::string> seen;
    for (auto& blob : blobs) {
        if (!seen.insert(blob.digest).second) continue;
        depot::Digest digest = TRY(digest_of(blob.digest));
        if (!TRY(depot.has(digest))) TRY_VOID(miss(digest, static_cast<std::uint64_t>(blob.size)));
    }
    return needed;
}

/// Everything an image refers to, on any platform, as far as it is here. Blocks.
void add_closure(const depot::Depot& depot, const depot::Digest& digest, std::set<depot::Digest>& all, int depth = 0) {
    if (depth > 3 || !all.insert(digest).second) return;
    auto document = depot.read_whole(digest);
    if (!document) return;
    auto kind = oci::document_kind(*document);
    if (!kind) return;
    std::vector<oci::Descriptor> children;
    if (*kind == oci::Document::index) {
        if (auto index = oci::parse_index(*document)) children = index->manifests;
        for (auto& child : children)
            if (auto parsed = digest_of(child.digest)) add_closure(depot, *parsed, all, depth + 1);
        return;
    }
    auto manifest = oci::parse_manifest(*document);
    if (!manifest) return;
    children = manifest->layers;
    children.push_back(manifest->config);
    for (auto& child : children)
        if (auto parsed = digest_of(child.digest)) all.insert(*parsed);
}

} // namespace

/// One image being made complete, for everybody who asked.
struct ImageBytes::Pull {
    std::string owner;
    std::vector<std::function<void(Result<void>)>> done;
};

/// One range on its way in.
struct ImageBytes::Incoming {
    depot::RangeRequest request;
    std::shared_ptr<link::Stream> stream;
    std::string head;
    bool answered = false;
    std::uint64_t at = 0;
};

/// One range on its way out.
struct ImageBytes::Outgoing {
    std::shared_ptr<link::Stream> stream;
    std::string line;
    std::unique_ptr<depot::Serve> serve;
    std::string waiting;
    bool reading = false, over = false;
};

ImageBytes::ImageBytes(env::Env env, store::Store& store, depot::Depot& depot, Tunnel& tunnel, oci::Platform host)
    : env_(env), store_(store), depot_(depot), tunnel_(tunnel), host_(std::move(host)), fetch_(limits) {
    fetch_.link_lost();
    tunnel_.serve(Tunnel::From::child, "blob",
                  [this](const env::Peer&, std::shared_ptr<link::Stream> stream) { serve(std::move(stream)); });
    tunnel_.on_parent([this](bool up) {
        if (!up) {
            incoming_.clear();
            return fetch_.link_lost();
        }
        fetch_.link_back();
        pump();
    });
    sweeping_ = env_.timers.after(sweep_period, [this] { sweep(); });
}

ImageBytes::~ImageBytes() { tunnel_.on_parent({}); }

void ImageBytes::ensure(const std::string& digest, std::function<void(Result<void>)> done) {
    auto& pull = pulls_[digest];
    bool first = !pull;
    if (first) pull = std::make_shared<Pull>();
    pull->done.push_back(std::move(done));
    if (first) advance(digest);
}

void ImageBytes::finish(const std::string& image, Result<void> outcome) {
    auto pull = std::move(pulls_[image]);
    pulls_.erase(image);
    for (auto& done : pull->done) done(outcome);
}

void ImageBytes::advance(const std::string& image) {
    auto top = depot::Digest::parse(image);
    if (!top) {
        env_.timers.post([this, image, error = top.error()] { finish(image, std::unexpected(error)); });
        return;
    }
    auto found = std::make_shared<Result<Needed>>(Needed{});
    env_.workers.run(
        lane, [this, top = *top, found] { *found = look(depot_, top, host_); },
        [this, image, found] {
            if (!*found) return finish(image, std::unexpected(found->error()));
            if ((*found)->missing.empty()) return finish(image, {});
            if (!tunnel_.has_parent())
                return finish(image, fail(Code::not_found, "no copy of " + (*found)->missing.front().digest.text() +
                                                               " here; push the image again: skerry image push FILE NAME"));
            want(image, std::move((*found)->missing), [this, image](Result<void> got) {
                if (!got) return finish(image, std::move(got));
                advance(image);
            });
        });
}

void ImageBytes::want(const std::string& image, std::vector<depot::Want> wants, std::function<void(Result<void>)> then) {
    std::string owner = image + " " + std::to_string(next_owner_++);
    if (auto pull = pulls_.find(image); pull != pulls_.end()) pull->second->owner = owner;
    owners_[owner] = std::move(then);
    for (auto& want : wants) {
        // A refusal from before does not count for a new wish.
        fetch_.retry(want.digest);
        fetch_.want(owner, std::move(want));
    }
    settle();
    pump();
}

void ImageBytes::check_owners() {
    std::vector<std::pair<std::string, Result<void>>> ready;
    for (auto& [owner, then] : owners_) {
        auto progress = fetch_.progress(owner);
        if (progress.is_done())
            ready.emplace_back(owner, Result<void>{});
        else if (!progress.refusals.empty())
            ready.emplace_back(owner, fail(Code::not_found, progress.refusals.front()));
    }
    for (auto& [owner, outcome] : ready) {
        auto then = std::move(owners_[owner]);
        owners_.erase(owner);
        fetch_.unwant(owner);
        then(std::move(outcome));
    }
}

void ImageBytes::pump() {
    while (auto request = fetch_.next()) start(*request);
    check_owners();
}

void ImageBytes::start(const depot::RangeRequest& request) {
    auto stream = tunnel_.open_parent({"blob", {}});
    if (!stream) {
        fetch_.broke_off(request.digest, request.offset);
        if (tunnel_.parent_is_up()) {
            // Too many streams at once; the next one that ends pumps again, or this does.
            stuck_ = env_.timers.after(200ms, [this] { pump(); });
        }
        return fetch_.link_lost();
    }
    auto incoming = std::make_shared<Incoming>(Incoming{.request = request, .stream = *stream, .head = {}, .at = request.offset});
    incoming_.insert(incoming);
    std::weak_ptr<Incoming> weak = incoming;
    incoming->stream->consume_by_hand();
    incoming->stream->on_bytes([this, weak](std::string bytes) {
        auto incoming = weak.lock();
        if (!incoming) return;
        std::size_t size = bytes.size();
        if (!incoming->answered) {
            incoming->head += bytes;
            std::size_t end = incoming->head.find('\n');
            if (end == std::string::npos) {
                incoming->stream->consumed(size);
                if (incoming->head.size() > depot::RangeAnswer::max_line) incoming->stream->reset("the answer has no first line");
                return;
            }
            auto answer = depot::RangeAnswer::parse(std::string_view(incoming->head).substr(0, end));
            if (!answer || !answer->granted) {
                fetch_.refused(incoming->request.digest, answer ? answer->why : answer.error().message);
                incoming_.erase(incoming);
                return check_owners();
            }
            incoming->answered = true;
            if (!fetch_.offered(incoming->request.digest, answer->size)) {
                incoming_.erase(incoming);
                return check_owners();
            }
            auto digest = incoming->request.digest;
            auto opened = std::make_shared<Result<std::uint64_t>>(0);
            env_.workers.run(
                lane, [this, digest, whole = answer->size, opened] { *opened = depot_.open_partial(digest, whole); },
                [this, digest, opened] {
                    if (*opened) return;
                    fetch_.refused(digest, opened->error().message);
                    check_owners();
                });
            settle(); // where all its bytes were here already
            bytes = incoming->head.substr(end + 1);
            incoming->head.clear();
            incoming->stream->consumed(size - bytes.size());
            size = bytes.size();
        }
        if (bytes.empty()) return;
        std::uint64_t at = incoming->at;
        incoming->at += bytes.size();
        auto written = std::make_shared<Result<std::uint64_t>>(0);
        auto digest = incoming->request.digest;
        env_.workers.run(
            lane, [this, digest, at, bytes = std::move(bytes), written] { *written = depot_.write(digest, at, bytes); },
            [this, digest, at, size, written, weak] {
                if (auto incoming = weak.lock()) incoming->stream->consumed(size);
                if (!*written) {
                    fetch_.refused(digest, written->error().message);
                    return check_owners();
                }
                // Only what is in the depot has arrived.
                fetch_.arrived(digest, at, size);
                settle();
                pump();
            });
    });
    auto over = [this, weak](std::string) {
        auto incoming = weak.lock();
        if (!incoming || !incoming_.erase(incoming)) return;
        // Pieces may still be on their way to the disk, in order: what is owed is known behind them.
        env_.workers.run(
            lane, [] {},
            [this, request = incoming->request] {
                fetch_.broke_off(request.digest, request.offset);
                pump();
            });
    };
    incoming->stream->on_end([over] { over(""); });
    incoming->stream->on_reset(over);
    incoming->stream->write(request.text());
    incoming->stream->end();
}

void ImageBytes::settle() {
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

std::string ImageBytes::progress(const std::string& digest) {
    auto pull = pulls_.find(digest);
    if (pull == pulls_.end() || pull->second->owner.empty()) return {};
    auto progress = fetch_.progress(pull->second->owner);
    std::string text;
    if (progress.bytes_total)
        text = rounded(Bytes{static_cast<std::int64_t>(progress.bytes_done)}) + " of " +
               rounded(Bytes{static_cast<std::int64_t>(progress.bytes_total)});
    if (!tunnel_.parent_is_up()) text += std::string(text.empty() ? "" : ", ") + "waiting for the link";
    return text;
}

void ImageBytes::keep(const std::set<std::string>&) {}

void ImageBytes::spare(const depot::Digest& digest) {
    if (spared_.emplace(digest, env_.clock.now() + spare_time).second) depot_.pin(digest);
}

void ImageBytes::sweep() {
    sweeping_ = env_.timers.after(sweep_period, [this] { sweep(); });
    for (auto spared = spared_.begin(); spared != spared_.end();)
        if (spared->second <= env_.clock.now()) {
            depot_.unpin(spared->first);
            spared = spared_.erase(spared);
        } else
            ++spared;
    auto roots = std::make_shared<std::set<std::string>>();
    for (auto& object : store_.list(model::Kind::image))
        for (auto& tag : store::as<model::Image>(*object).spec().tags()) roots->insert(tag.digest());
    for (auto& object : store_.list(model::Kind::revision))
        for (auto& component : store::as<model::Revision>(*object).spec().components()) roots->insert(component.image_digest());
    for (auto& [image, pull] : pulls_) roots->insert(image);
    env_.workers.run(
        lane,
        [this, roots] {
            std::set<depot::Digest> keep;
            for (auto& root : *roots)
                if (auto digest = depot::Digest::parse(root)) add_closure(depot_, *digest, keep);
            auto swept = depot_.sweep(keep);
            if (!swept)
                log(Level::warning, "images", "sweeping the depot: {}", swept.error().message);
            else if (swept->blobs)
                log(Level::info, "images", "{} blobs that nothing names any more were removed, {}", swept->blobs,
                    rounded(Bytes{static_cast<std::int64_t>(swept->bytes)}));
        },
        [] {});
}

void ImageBytes::serve(std::shared_ptr<link::Stream> stream) {
    auto out = std::make_shared<Outgoing>();
    out->stream = stream;
    auto push = std::make_shared<std::function<void()>>();
    std::weak_ptr<std::function<void()>> again = push;
    *push = [this, out, again] {
        if (out->over || out->reading) return;
        out->waiting.erase(0, out->stream->write(out->waiting));
        if (!out->waiting.empty()) return;
        if (!out->serve || out->serve->left() == 0) {
            out->over = true;
            return out->stream->end();
        }
        out->reading = true;
        auto bytes = std::make_shared<Result<std::string>>(std::string());
        env_.workers.run(
            {}, [out, bytes] { *bytes = out->serve->next(256 << 10); },
            [out, bytes, again] {
                out->reading = false;
                if (!*bytes) {
                    out->over = true;
                    return out->stream->reset(bytes->error().message);
                }
                out->waiting = std::move(**bytes);
                if (auto push = again.lock()) (*push)();
            });
    };
    stream->on_writable([push] { (*push)(); });
    stream->on_reset([out](std::string) { out->over = true; });
    auto answer = [this, out, again](const depot::RangeRequest& request) {
        auto serve = std::make_unique<depot::Serve>(depot_, request);
        auto begun = serve->begin();
        out->waiting = begun.text();
        if (begun.granted) out->serve = std::move(serve);
        if (auto push = again.lock()) (*push)();
    };
    stream->on_bytes([this, out, answer](std::string bytes) {
        out->line += bytes;
        std::size_t end = out->line.find('\n');
        if (end == std::string::npos) {
            if (out->line.size() > depot::RangeAnswer::max_line) out->stream->reset("the request has no end");
            return;
        }
        auto request = depot::RangeRequest::parse(std::string_view(out->line).substr(0, end));
        out->line.clear();
        if (!request) return out->stream->reset(request.error().message);
        auto here = depot_.has(request->digest);
        if ((here && *here) || !tunnel_.has_parent()) return answer(*request);
        // A site fetches for its nodes, whole blobs, once; and from where it stopped, though a node may ask before the site
        // itself does.
        struct Here {
            bool whole = false;
            std::uint64_t have = 0;
        };
        auto here_now = std::make_shared<Here>();
        env_.workers.run(
            lane,
            [this, digest = request->digest, here_now] {
                here_now->whole = depot_.has(digest).value_or(false);
                here_now->have = depot_.have(digest).value_or(0);
            },
            [this, answer, request = *request, here_now] {
                if (here_now->whole) return answer(request);
                want(request.digest.text(), {{.digest = request.digest, .have = here_now->have}},
                     [answer, request](Result<void>) { answer(request); });
            });
    });
}

} // namespace skerry::main
