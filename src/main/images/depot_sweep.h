#pragma once

#include "depot/depot.h"
#include "env/env.h"
#include "store/store.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace skerry::main {

/// Every ten minutes: what stays in the depot is what the store's Images and Revisions name, what `more` names besides, and what
/// was uploaded a short while ago.
class DepotSweep {
public:
    DepotSweep(env::Env, store::Store&, depot::Depot&, std::function<std::set<std::string>()> more);

    /// An upload is kept until an Image can name it. It has been pinned once for this call.
    void spare(const depot::Digest&);

private:
    void sweep();
    void unpin(const depot::Digest&);

    env::Env env_;
    store::Store& store_;
    depot::Depot& depot_;
    std::function<std::set<std::string>()> more_;
    std::map<depot::Digest, Instant> spared_; ///< pinned once each
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::main
