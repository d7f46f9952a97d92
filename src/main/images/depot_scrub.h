#pragma once

#include "depot/depot.h"
#include "depot/scrub.h"
#include "env/env.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// Reads the depot again in the background, so that damage is found while the other end of a link still has the blob (rule S5).
///
/// A round goes through all blobs in the order of their digests, a MiB a second, and so it takes three hours for 10 GiB and is not
/// felt; the next one begins a week after it. The first begins an hour after the first start. Where it stands is a note in the store
/// (space "scrub", key "round": wall seconds of the last round's end, and the digest that is next or "-"), written each GiB and at a
/// round's end: what a restart repeats is at most that, and the disk hardly learns of it.
class DepotScrub {
public:
    /// `damaged` is told of a blob that was set aside; it counts as missing from then on.
    DepotScrub(env::Env, store::Store&, depot::Depot&, std::function<void(const depot::Digest&)> damaged);

private:
    Duration first_pause();
    void begin();
    void step();
    void end();
    void remember(std::optional<depot::Digest> next);
    void wait(Duration, void (DepotScrub::*)());

    env::Env env_;
    store::Store& store_;
    depot::Depot& depot_;
    std::function<void(const depot::Digest&)> damaged_;
    std::optional<depot::Digest> resume_; ///< where a round that was interrupted goes on
    std::int64_t ended_ = 0;              ///< the last round, in wall seconds
    std::vector<depot::Digest> left_;     ///< of this round, the next one last
    std::shared_ptr<depot::Scrub> blob_;
    std::uint64_t since_note_ = 0;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::main
