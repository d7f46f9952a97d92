#include "main/images/depot_sweep.h"

#include "base/log.h"
#include "base/units.h"
#include "cell/missing.h"
#include "cell/recovery/recovery.h"
#include "main/images/blob_fetch.h"
#include "main/images/image_parts.h"
#include "model/image.pb.h"
#include "model/revision.pb.h"

namespace skerry::main {

namespace {
constexpr Duration period = 10min;
/// An image is tagged after the last of its layers, and one layer may take hours on a thin line.
constexpr Duration spare_time = 24h;
} // namespace

DepotSweep::DepotSweep(env::Env env, store::Store& store, depot::Depot& depot, std::function<std::set<std::string>()> more)
    : env_(env), store_(store), depot_(depot), more_(std::move(more)) {
    timer_ = env_.timers.after(period, [this] { sweep(); });
}

void DepotSweep::spare(const depot::Digest& digest) {
    if (!spared_.emplace(digest, env_.clock.now() + spare_time).second) unpin(digest);
}

void DepotSweep::unpin(const depot::Digest& digest) {
    env_.workers.run(
        BlobFetch::lane, [this, digest] { depot_.unpin(digest); }, [] {});
}

void DepotSweep::sweep() {
    timer_ = env_.timers.after(period, [this] { sweep(); });
    for (auto spared = spared_.begin(); spared != spared_.end();)
        if (spared->second <= env_.clock.now()) {
            unpin(spared->first);
            spared = spared_.erase(spared);
        } else
            ++spared;
    if (cell::lacks_objects(store_) || cell::is_recovering(store_)) return; // nobody knows what is named (rule H3)
    std::set<std::string> roots = more_();
    for (auto& object : store_.list(model::Kind::image))
        for (auto& tag : store::as<model::Image>(*object).spec().tags()) roots.insert(tag.digest());
    for (auto& object : store_.list(model::Kind::revision))
        for (auto& component : store::as<model::Revision>(*object).spec().components()) roots.insert(component.image_digest());
    env_.workers.run(
        BlobFetch::lane,
        [this, roots = std::move(roots)] {
            std::set<depot::Digest> keep;
            for (auto& root : roots)
                if (auto digest = depot::Digest::parse(root)) add_parts(depot_, *digest, keep);
            auto swept = depot_.sweep(keep);
            if (!swept)
                log(Level::warning, "images", "sweeping the depot: {}", swept.error().message);
            else if (swept->blobs)
                log(Level::info, "images", "{} blobs that nothing names any more were removed, {}", swept->blobs,
                    rounded(Bytes{static_cast<std::int64_t>(swept->bytes)}));
        },
        [] {});
}

} // namespace skerry::main
