#pragma once

#include "depot/depot.h"
#include "depot/plan.h"
#include "env/env.h"
#include "main/tunnel.h"
#include "node/images.h"
#include "oci/platform.h"
#include "store/store.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry::main {

/// Makes images complete in this cell's depot, from the parent's, over streams named "blob" (depot/range.h says what crosses
/// them), and serves them to children. A site passes its nodes' wishes on, so each blob crosses the WAN once however many nodes
/// want it.
///
/// A transfer waits for a parent that is away and resumes at the byte where it stopped, also after a restart.
class ImageBytes final : public node::Images {
public:
    ImageBytes(env::Env, store::Store&, depot::Depot&, Tunnel&, oci::Platform host);
    ~ImageBytes() override;

    void ensure(const std::string& digest, std::function<void(Result<void>)> done) override;
    std::string progress(const std::string& digest) override;
    /// What stays in the depot is what the store's Images and Revisions name.
    void keep(const std::set<std::string>& digests) override;

    /// An upload is kept from sweeps until an Image can name it.
    void spare(const depot::Digest&);

private:
    struct Pull;
    struct Incoming;
    struct Outgoing;
    struct Found;

    void advance(const std::string& image);
    void finish(const std::string& image, Result<void>);
    void want(const std::string& owner, std::vector<depot::Want>, std::function<void(Result<void>)> then);
    void pump();
    void start(const depot::RangeRequest&);
    void settle();
    void check_owners();
    void serve(std::shared_ptr<link::Stream>);
    void sweep();

    static constexpr auto lane = "depot";
    env::Env env_;
    store::Store& store_;
    depot::Depot& depot_;
    Tunnel& tunnel_;
    oci::Platform host_;
    depot::Fetch fetch_;
    std::map<std::string, std::shared_ptr<Pull>> pulls_;
    std::map<std::string, std::function<void(Result<void>)>> owners_;
    std::set<std::shared_ptr<Incoming>> incoming_;
    std::map<depot::Digest, Instant> spared_;
    std::unique_ptr<env::Timer> sweeping_;
    std::unique_ptr<env::Timer> stuck_;
    std::uint64_t next_owner_ = 1;
};

} // namespace skerry::main
