#include "main/images/image_bytes.h"

#include "base/log.h"
#include "base/units.h"
#include "main/images/image_parts.h"
#include "model/image.pb.h"

#include <utility>

namespace skerry::main {

namespace {
constexpr Duration keep_again = 15s;
}

/// One image being made complete, for everybody who asked.
struct ImageBytes::Pull {
    bool unpacks = false;
    std::string wish; ///< of the blobs that are on their way
    std::vector<std::function<void(Result<void>)>> done;
};

ImageBytes::ImageBytes(env::Env env, store::Store& store, depot::Depot& depot, Tunnel& tunnel, oci::Platform host)
    : env_(env), store_(store), depot_(depot), tunnel_(tunnel), host_(std::move(host)), fetch_(env, depot, tunnel),
      serve_(env, depot, tunnel, fetch_), sweep_(env, store, depot,
                                                 [this] {
                                                     std::set<std::string> pulled;
                                                     for (auto& [image, pull] : pulls_) pulled.insert(image);
                                                     return pulled;
                                                 }),
      scrub_(env, store, depot, [this](const depot::Digest& digest) { damaged(digest); }) {
    fetch_.on_held([this] {
        if (!why_waiting_) return;
        if (auto why = why_waiting_(); !why.reason.empty()) report({}, cell::Tone::normal, why.reason, why.message);
    });
}

ImageBytes::~ImageBytes() = default;

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
    auto missing = std::make_shared<Result<std::vector<depot::Want>>>();
    env_.workers.run(
        BlobFetch::lane, [this, top = *top, missing] { *missing = missing_parts(depot_, top, host_); },
        [this, image, missing] {
            if (!*missing) return finish(image, std::unexpected(missing->error()));
            if ((*missing)->empty()) return prepare(image);
            if (!tunnel_.has_parent())
                return finish(image, fail(Code::not_found, "no copy of " + (*missing)->front().digest.text() +
                                                               " here; push the image again: skerry image push FILE NAME"));
            pulls_.at(image)->wish = fetch_.want(std::move(**missing), [this, image](Result<void> got) {
                if (!got) return finish(image, std::move(got));
                advance(image);
            });
        });
}

/// One at a time, on a lane of its own: it may take long, and blobs go on meanwhile.
void ImageBytes::prepare(const std::string& image) {
    if (!unpacked_.prepare) return finish(image, {});
    pulls_.at(image)->unpacks = true;
    auto outcome = std::make_shared<Result<void>>();
    env_.workers.run(
        "unpack", [prepare = unpacked_.prepare, image, outcome] { *outcome = prepare(image); },
        [this, image, outcome] { finish(image, std::move(*outcome)); });
}

std::string ImageBytes::progress(const std::string& digest) {
    auto pull = pulls_.find(digest);
    if (pull == pulls_.end()) return {};
    if (pull->second->unpacks) return "being unpacked";
    if (pull->second->wish.empty()) return {};
    auto progress = fetch_.progress(pull->second->wish);
    std::string text;
    if (progress.bytes_total)
        text = rounded(Bytes{static_cast<std::int64_t>(progress.bytes_done)}) + " of " +
               rounded(Bytes{static_cast<std::int64_t>(progress.bytes_total)});
    std::string_view wait = !tunnel_.parent_is_up() ? "waiting for the link"
                            : fetch_.is_held()      ? "waiting for the uplink's budget or window: skerry describe site"
                                                    : "";
    if (!wait.empty()) text += std::string(text.empty() ? "" : ", ") + std::string(wait);
    return text;
}

void ImageBytes::keep(const std::set<std::string>& digests) {
    kept_.assign(digests.begin(), digests.end());
    drop_unpacked();
}

/// On the lane of `ensure`, so that an image which is asked for after this is answered for, and started, after this.
void ImageBytes::drop_unpacked() {
    keep_again_.reset();
    if (!unpacked_.keep) return;
    auto outcome = std::make_shared<Result<void>>();
    env_.workers.run(
        BlobFetch::lane, [keep = unpacked_.keep, kept = kept_, outcome] { *outcome = keep(kept); },
        [this, outcome] {
            if (!*outcome) {
                log(outcome->error().code == Code::conflict ? Level::debug : Level::warning, "images",
                    "unpacked images stay for now: {}", outcome->error().message);
                keep_again_ = env_.timers.after(keep_again, [this] { drop_unpacked(); });
            }
            env_.workers.run(
                "unpacked",
                [then = unpacked_.then] {
                    if (auto done = then(); !done) log(Level::warning, "images", "{}", done.error().message);
                },
                [] {});
        });
}

void ImageBytes::damaged(const depot::Digest& digest) {
    struct Named {
        store::Key key;
        std::vector<std::string> digests;
    };
    std::vector<Named> images;
    for (auto& object : store_.list(model::Kind::image)) {
        Named named{object->key, {}};
        for (auto& tag : store::as<model::Image>(*object).spec().tags()) named.digests.push_back(tag.digest());
        images.push_back(std::move(named));
    }
    auto owners = std::make_shared<std::vector<store::Key>>();
    env_.workers.run(
        BlobFetch::lane,
        [this, digest, images = std::move(images), owners] {
            for (auto& image : images) {
                std::set<depot::Digest> parts;
                for (auto& top : image.digests)
                    if (auto parsed = depot::Digest::parse(top)) add_parts(depot_, *parsed, parts);
                if (parts.contains(digest)) owners->push_back(image.key);
            }
        },
        [this, digest, owners] {
            std::string what = "the bytes of " + digest.text() + " were damaged on disk and set aside; ";
            bool parent = tunnel_.has_parent();
            what += parent ? "they are fetched again" : "push the image again: skerry image push FILE NAME";
            log(Level::warning, "depot", "{}", what);
            report(*owners, cell::Tone::warning, "BlobDamaged", what);
            if (!parent) return;
            fetch_.want({{.digest = digest, .size = {}}}, [this, digest, owners](Result<void> got) {
                report(*owners, got ? cell::Tone::normal : cell::Tone::warning, got ? "BlobRepaired" : "BlobLost",
                       got ? digest.text() + " was fetched again" : "what replaces damaged bytes: " + got.error().message);
            });
        });
}

void ImageBytes::report(const std::vector<store::Key>& images, cell::Tone tone, std::string_view reason,
                        const std::string& message) {
    if (!report_) return;
    if (images.empty()) report_({}, tone, reason, message);
    for (auto& image : images) report_(image, tone, reason, message);
}

} // namespace skerry::main
