#pragma once

#include "base/queue.h"
#include "cell/links/meters.h"
#include "cell/links/peers.h"
#include "cell/recovery/recovery.h"
#include "cell/recovery/seal.h"
#include "cell/slices/closure.h"
#include "cell/slices/couriers.h"
#include "env/env.h"
#include "store/store.h"
#include "sync/session.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace skerry::cell {

/// Which objects came from which cell, kept current from the store's changes.
class Replicas {
public:
    void change(const store::Change&);
    const std::unordered_set<store::Key>* of(CellId) const;

private:
    std::unordered_map<CellId, std::unordered_set<store::Key>> keys_;
};

/// What links share with their cell.
struct LinkContext {
    env::Env env;
    store::Store& store;
    const Slicer& slicer;
    const Closure& closure;
    const Replicas& replicas;
    Meters& meters;
    env::Peer self;
    std::string version;
    Recovery& recovery;
    const Seals& seals;
};

/// One neighbour: a sync session, the wire it uses now, and the store it writes into. Lives as long as the neighbour is known,
/// over all its wires.
///
/// Batches are applied one frame after the other. Wishes and removals are one transaction with the cursor that closes them (rule
/// L2); soft parts are reported behind it (rule L4). What the neighbour may not send closes the wire, with a reason that names
/// the object. What it may send but has no place here (rule H5: the name is taken; rule H3: we know a later generation) is kept
/// out and counted.
///
/// Where our history went back, the neighbour is asked for what it holds of ours before anything else is sent (`recovery/taking_back.cc`).
/// What cannot be taken back stays there as it is, an orphan, until people let go of it.
class Link final : private env::Wire::Listener, private sync::Host {
public:
    /// The wire is up and hellos were exchanged, or is down, for this reason.
    using Turned = std::function<void(bool up, const std::string& why)>;

    Link(LinkContext, sync::Side, env::Peer peer, std::string tag, Duration beat, Turned);
    ~Link() override;

    /// A new wire, and what came on it already; an older one is closed.
    void attach(std::unique_ptr<env::Wire>, std::string message = {});
    /// Ends the connection, if there is one, and tells the peer why.
    void end(std::string reason);
    void set_beat(Duration);
    /// Called before anything is sent, after anything came: for the lease lane of the session.
    using LeaseLane = std::function<void(sync::Session&)>;
    void set_lease_lane(LeaseLane lane) { lease_lane_ = std::move(lane); }
    void want_lease(bool);
    /// Of a parent: asked while the child has to catch up, whether it may now; told `false` when it has, or its wire is gone.
    using Turn = std::function<bool(bool wants)>;
    void set_turn(Turn turn) { turn_ = std::move(turn); }
    /// See `sync::Session`.
    Duration come_back() const { return session_.come_back(); }
    /// There may be room for what waited.
    void look() { pump_soon(); }
    /// Pumps again soon, if this link is still there.
    std::function<void()> again();

    /// A member of the peer's slice, or a change of one, or its end. `before` where the object itself changed.
    void refresh(const store::Key&, const store::Object* before);
    /// An object of ours changed in a way that may make room for what was kept out.
    void reconsider(const store::Key&);
    /// Another wish says what may come: all that was kept out is asked for again.
    void reconsider_all();
    /// Called whenever something is kept out; `keeps_out`: something still is.
    void on_keep_out(std::function<void()> call) { keeping_out_ = std::move(call); }
    bool keeps_out() const { return !kept_out_.empty(); }
    /// People want that what only the peer has of ours goes there, now and whenever such is found.
    void drop_orphans(bool drop);

    // Courier files (rule C1; courier.cc).
    Result<sync::CarriedSlices> pack(Couriers::Extent);
    using Applied = std::function<void(Result<Couriers::Outcome>)>;
    void take(sync::CarriedSlices, Couriers::How, Applied then);

    const env::Peer& peer() const { return peer_; }
    bool has_wire() const { return wire_ != nullptr; }
    sync::Session::View view() const { return session_.view(); }
    PeerView peer_view() const;
    /// What this side keeps out since the name is taken (rule H5); the first few.
    std::vector<std::string> names_taken() const;
    /// Of the connection before this moment; empty while all is well.
    const std::string& trouble() const { return trouble_; }

private:
    struct Applying;
    /// What came back, in order; and Allocations, which wait for all else.
    struct ComingBack {
        struct Step {
            sync::Lane lane;
            sync::Item item;
            bool last = false; ///< no item: all came that was asked for
        };
        Queue<Step> steps, allocations;
        bool busy = false; ///< some are being written
        int tries = 0;
        std::vector<std::pair<sync::Lane, sync::ItemKey>> taken;
        std::shared_ptr<int> connection = std::make_shared<int>(0);
    };

    void arrived(std::string message) override;
    void closed(std::string why) override;
    void drained() override { pump(); }

    sync::Outbound::Place place(const sync::Cursor&) override;
    sync::Number durable() const override;
    bool was_opened(const IncarnationId&) const override;
    std::optional<std::vector<sync::ItemKey>> erased_since(sync::Lane, sync::Number) override;
    void load(sync::Lane, sync::Inbound&) override;
    bool keeps_unknown() const override;
    std::string seal(const sync::Item&) const override;
    std::optional<sync::Item> give_back(const sync::ItemKey&) const override;

    void count();
    void measure();
    void take_turn();
    void pump_soon();
    void pump();
    void drop_wire(const std::string& why);
    void arm();
    void apply_next();
    void apply();
    void reject(std::string why);
    void landed(Result<store::Number>);
    void report_parts();
    void let_go_of_missing();
    /// Fills a transaction; an error closes the wire.
    Result<void> stage(store::Transaction&, const sync::Apply&);
    Result<void> stage(store::Transaction&, const sync::Item&);
    void stage_handover(store::Transaction&, const sync::Item&, const store::Key&, const google::protobuf::Message& content);
    void stage_removal(store::Transaction&, const sync::ItemKey&);
    void keep_out(sync::Lane, const sync::ItemKey&, std::string why, bool name_taken = false);
    sync::ItemKey item_key(const store::Object&, store::Part) const;

    // Courier files.
    using Place = sync::Outbound::Place;
    void note_open(store::Transaction&, const sync::Apply&);
    bool may_be_newer(const sync::Courier&);
    void recall_peer_cursor();
    void remember_peer_cursor();
    void note_peer_cursor(store::Transaction&, const std::optional<sync::Cursor>&);
    void carry_on();
    void carried_all();
    void end_carrying(Result<Couriers::Outcome>);

    // Our history went back.
    void note_behind(store::Transaction&);
    void note_history();
    void stage_seal(store::Transaction&, const store::Key&, const std::string& seal);
    void take_back(sync::Session::Back&&);
    void take_back_next();
    bool stage_return(store::Transaction&, sync::Lane, const sync::Item&, const std::optional<std::set<Uid>>& erased);
    void leave_there(const sync::ItemKey&, std::string why);

    LinkContext context_;
    env::Peer peer_;
    std::string tag_;
    sync::Side side_;
    Turned turned_;
    sync::Session session_;
    std::unique_ptr<env::Wire> wire_;
    env::Wire::Traffic past_;  ///< of earlier wires
    env::Wire::Path measured_; ///< of this wire, as last looked at
    sync::Loss loss_;
    std::string trouble_;
    std::string refused_; ///< the last item that closed the wire
    bool was_up_ = false;
    bool pumping_ = false, pump_posted_ = false;
    std::unique_ptr<env::Timer> timer_;
    Instant armed_ = Instant::never();

    Queue<sync::Apply> queue_;
    std::unique_ptr<Applying> applying_;
    struct KeptOut {
        sync::Lane lane;
        sync::ItemKey key;
        std::string why;
        bool name_taken = false; ///< rule H5
    };
    std::map<std::pair<store::Key, std::uint8_t>, KeptOut> kept_out_;
    std::function<void()> keeping_out_;
    /// A courier file: waits until nothing else is applied, then is, up to the ticket `last`.
    struct Carrying {
        sync::CarriedSlices carried;
        Applied then;
        Couriers::Outcome outcome = {};
        std::optional<sync::Ticket> last = {};
        std::size_t kept_out_before = 0;
        bool met_later = false; ///< it has an earlier generation of something than is here
    };
    std::unique_ptr<Carrying> carrying_;
    ComingBack coming_back_;
    std::set<std::string> left_; ///< what was not taken back, and why; the first few
    bool drops_orphans_ = false;
    bool is_behind_ = false, noting_history_ = false; ///< our history lacks something of what the peer has seen, as noted
    LeaseLane lease_lane_;
    Turn turn_;
    bool wants_turn_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

} // namespace skerry::cell
