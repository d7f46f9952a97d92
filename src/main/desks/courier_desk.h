#pragma once

#include "cell/cell.h"
#include "depot/depot.h"
#include "env/corrected_clock.h"
#include "http/server.h"
#include "link/courier_file.h"
#include "main/membership/membership.h"
#include "main/membership/register.h"
#include "oci/platform.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry::main {

/// Courier files of this cell (rule C1), for administrators:
///
///     POST /courier/v1/pack    {site: NAME | parent: "true", maxSize, everything} → the file, with what is in it in X-Courier (JSON)
///     POST /courier/v1/apply   the file; ?dryRun=true says what would change → what changed
///
/// Nothing is kept on the way: a file that was not read to its end is packed again, one that was not taken to its end is applied
/// again. Bytes of images go into the depot as they come, since their names are their digests; slices are applied when the whole
/// file has shown to be what its sender signed.
///
/// Packing for a site that is out of touch tells the loops that its wishes go on by file from now on: condition `ByCourier` of the
/// Site, until it is in touch again (rule A4: a rollout reaches it, and does not wait for it).
class CourierDesk {
public:
    struct Options {
        cell::Cell& cell;
        store::Store& store;
        depot::Depot& depot;
        Membership& membership;
        Register& members;
        env::CorrectedClock& clock;
        trust::Identity self;
        std::string version;
        oci::Platform host;
        std::function<Result<trust::Identity>(const http::Request&)> identify;
        /// A blob came: see api::Blobs.
        std::function<void(const depot::Digest&)> arrived;
        /// A newer key of the parent's is pinned.
        std::function<void()> followed;
    };
    explicit CourierDesk(Options);
    ~CourierDesk();

    /// For Server::on_head: files are streamed and may be long.
    static bool is_upload(const http::Request&);
    /// False: not one of these paths.
    bool answer(const http::Request&, const std::shared_ptr<http::Responder>&);

private:
    using Neighbour = cell::Couriers::Neighbour;
    struct Packing;
    struct Taking;

    Result<std::shared_ptr<Packing>> begin_packing(const http::Request&) const;
    void settle(std::shared_ptr<Packing>, std::uint64_t head, int calm, int looks);
    void carry(std::shared_ptr<Packing>);
    void choose_blobs(Packing&) const;
    void find_wants(Packing&) const;
    void send(std::shared_ptr<Packing>);
    void send_on(std::shared_ptr<Packing>);
    void send_blob(std::shared_ptr<Packing>);
    void break_off(const std::shared_ptr<Packing>&, const Error&);
    void let_go(const std::shared_ptr<Packing>&);
    Json summary(const Packing&) const;

    void begin_taking(const http::Request&, const std::shared_ptr<http::Responder>&);
    Result<std::string> admit(Taking&, const link::CourierHeader&, std::string_view text, std::string_view signature);
    Result<void> verify(Taking&, const link::CourierHeader&) const;
    void take(std::shared_ptr<Taking>);
    void keep(std::shared_ptr<Taking>, std::vector<link::CourierReader::Piece>);
    Result<void> keep_piece(Taking&, const link::CourierReader::Piece&);
    void suspend(std::shared_ptr<Taking>);
    void apply(std::shared_ptr<Taking>);
    void applied(const std::shared_ptr<Taking>&, const Result<cell::Couriers::Outcome>&);

    Options options_;
    std::set<std::shared_ptr<Packing>> packing_;
};

} // namespace skerry::main
