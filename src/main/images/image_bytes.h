#pragma once

#include "cell/events.h"
#include "cell/links/meters.h"
#include "depot/depot.h"
#include "env/env.h"
#include "main/images/blob_fetch.h"
#include "main/images/blob_serve.h"
#include "main/images/depot_scrub.h"
#include "main/images/depot_sweep.h"
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

/// The bytes of images in this cell: makes images complete from the parent's depot, serves them to children, and keeps the depot
/// in order. A site passes its nodes' wishes on, so each blob crosses the WAN once however many nodes want it.
class ImageBytes final : public node::Images {
public:
    ImageBytes(env::Env, store::Store&, depot::Depot&, Tunnel&, oci::Platform host);
    ~ImageBytes() override;

    void ensure(const std::string& digest, std::function<void(Result<void>)> done) override;
    std::string progress(const std::string& digest) override;
    /// The blobs stay as long as the store names them; what was unpacked of other images goes.
    void keep(const std::set<std::string>& digests) override;

    /// A blob came by an upload or a courier. It is kept from sweeps until an Image can name it, for which it has been pinned once;
    /// and whoever waits for it goes on.
    void arrived(const depot::Digest& digest) {
        sweep_.spare(digest);
        fetch_.here(digest);
    }

    /// Called on workers.
    struct Unpacked {
        /// Before any answer to an `ensure` that follows: drops what was unpacked of images not in the list. After an error it is called
        /// again, with what the list is by then.
        std::function<Result<void>(const std::vector<std::string>&)> keep;
        /// Follows that, beside everything, for what takes long.
        std::function<Result<void>()> then;
        /// An image's bytes are here: makes it ready to start, and says if it never can. Only then is an `ensure` answered, so that what
        /// runs is not stopped for what cannot follow it.
        std::function<Result<void>(const std::string& image)> prepare;
    };
    void on_unpacked(Unpacked unpacked) { unpacked_ = std::move(unpacked); }
    /// Told of damage found on disk, and of its repair: about the Images whose blob it is, or, with none, the machine.
    using Report = std::function<void(std::optional<store::Key> image, cell::Tone, std::string_view reason, std::string message)>;
    void on_report(Report report) { report_ = std::move(report); }
    /// Why images wait at the uplink, in words for people, asked when they begin to; reported once for each waiting.
    void on_waiting(std::function<cell::Waiting()> why) { why_waiting_ = std::move(why); }
    /// An uplink's budget or window turned.
    void look() { fetch_.look(); }

private:
    struct Pull;
    void advance(const std::string& image);
    void prepare(const std::string& image);
    void finish(const std::string& image, Result<void>);
    void drop_unpacked();
    void damaged(const depot::Digest&);
    void report(const std::vector<store::Key>& images, cell::Tone, std::string_view reason, const std::string& message);

    env::Env env_;
    store::Store& store_;
    depot::Depot& depot_;
    Tunnel& tunnel_;
    oci::Platform host_;
    std::map<std::string, std::shared_ptr<Pull>> pulls_;
    BlobFetch fetch_;
    BlobServe serve_;
    DepotSweep sweep_;
    DepotScrub scrub_;
    Unpacked unpacked_;
    std::vector<std::string> kept_;
    std::unique_ptr<env::Timer> keep_again_;
    Report report_;
    std::function<cell::Waiting()> why_waiting_;
};

} // namespace skerry::main
