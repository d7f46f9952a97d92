#pragma once

#include "base/queue.h"
#include "base/time.h"
#include "sync/inbound.h"
#include "sync/outbound.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::sync {

enum class Side : std::uint8_t { parent, child };

/// What a session asks of the cell it lives in. Answers at once, from memory.
class Host {
public:
    virtual ~Host() = default;
    /// How this place in our own history looks to our store (rules S3, H3).
    virtual Outbound::Place place(const Cursor&) = 0;
    /// Where our history ends on the disk: what came into the slice, or left it, for something soft has higher numbers (rule S1).
    virtual Number durable() const { return ~Number{0}; }
    /// Whether our store was ever opened as this. An opening is durable before anything is sent in it (rule S2).
    virtual bool was_opened(const IncarnationId&) const { return true; }
    /// What was deleted here after this number and may have been in the slice; none if that is not known, or too much.
    virtual std::optional<std::vector<ItemKey>> erased_since(Lane, Number) = 0;
    /// What we hold durably of the peer's slice, and for `desired` up to where. Called before the first hello, and again after
    /// something that was to be applied could not be.
    virtual void load(Lane, Inbound&) = 0;
    /// Whether absence here is no reason to remove there: our history went back, or our disk lost something (rules H3, S5). Asked
    /// at each hello and before each descent.
    virtual bool keeps_unknown() const = 0;
    /// What goes with an item of ours, so that it can be given back to us; empty: nothing.
    virtual std::string seal(const Item&) const { return {}; }
    /// A wish of the peer's that we hold, with its seal, for a peer whose history went back (rule H3). None: it is no wish, or not
    /// here any more.
    virtual std::optional<Item> give_back(const ItemKey&) const { return {}; }
};

/// One side of one link, for as long as the cell runs: outlives connections. No I/O, no clock, no randomness.
///
///   host                                     Session                                    wire
///   put, drop  ─────────────────────────────► Outbound ─► frames ─► take_output ───────► send
///   make durable ◄─ take_apply ◄─ Inbound ◄─ frames ◄─ received ◄──────────────────────── arrived
///        └─ applied, rejected ──────────────► acknowledgement ─► take_output ──────────► send
///
/// After any call: apply what `take_apply` gives, send what `take_output` gives while the wire has room, close the wire if
/// `over`, and call `tick` at `next_wake`. Each side opens with a hello; then both send what the other lacks, and go quiet but
/// for beats (rule L5).
class Session {
public:
    struct Options {
        Side side = Side::child;
        CellId self, peer;
        IncarnationId incarnation; ///< of our store's current opening
        std::string boot_id, name, version;
        std::uint32_t role = 0;
        Duration beat = 15s;         ///< parent: told to the child
        Duration status_gap = 200ms; ///< at least this between two batches of the status lane: storms coalesce
        Duration hello_patience = 30s;
        std::vector<IncarnationId> earlier = {}; ///< of our store, newest first; told with lease requests
    };

    Session(Options, Host&);

    // The slices we send.
    void put(Lane, const ItemKey&, std::uint32_t generation, Blob, Number);
    void drop(Lane, const ItemKey&, Number);

    // The connection.
    void connected(Instant now);
    /// One message of the wire. Hostile bytes end the session with a reason.
    void received(std::string_view message, Instant now);
    void disconnected(Instant now);
    void tick(Instant now);
    /// Ends the connection and tells the peer why.
    void end(std::string reason);
    /// Child: the parent asked it to call again after this, not before. Zero: it did not.
    Duration come_back() const { return come_back_; }
    /// Parent: since the hellos of this connection the two have not been in agreement yet.
    bool catching_up();
    /// Parent: what differs is not sent for now. Beats, leases and acknowledgements go on.
    void hold(bool held) { held_ = held; }

    // What the host did.
    /// Durable. In order of tickets within a lane.
    void applied(Ticket, Instant now);
    /// Not possible: the connection ends with this reason.
    void rejected(Ticket, std::string reason);
    /// An item that was applied or passed over does not stand here: ask for it again.
    void forget(Lane, const ItemKey&);
    /// Something else stands here than was brought: what we hold is loaded again before the next hello, or the next file.
    void load_again();
    /// Asks the peer to close its slice once more, so that `Apply::close` tells of agreement.
    void verify(Lane lane) { verify_due_[static_cast<std::size_t>(lane)] = true; }
    /// What `take_returned` gave last of this lane has been taken in, as far as it will be: sending goes on.
    void recall_done(Lane);
    /// What only the peer has of an item goes there, or all that only it has.
    void let_go(Lane, const ItemKey&);
    void let_go_of_orphans();
    void let_go_of_orphans(Lane);
    /// What our history lacked is here again.
    void history_mended() { history_behind_ = false; }
    /// Parent: from now on; told to a connected child at once.
    void set_beat(Duration);
    /// How much may still cross on the status lane: what is over that waits, and is sent in its newest form when there is room
    /// (rule L6). None: no bound. What finds and repairs differences is counted and never waits.
    void set_status_room(std::optional<std::uint64_t>);
    /// Child: how well the way carries; told with the next beat where it has changed.
    void set_path(Path path) { path_ = path; }
    /// The same; at the parent as it was told. The default: not known.
    const Path& path() const { return path_; }
    /// What crossed since this was last asked.
    Uses take_uses() { return std::exchange(uses_, {}); }
    /// Parent: which objects of the child it does not take in since their names are taken (rule H5); told to the child while there
    /// are any, and once when there are none any more. At most `most_names_taken`.
    void set_names_taken(std::vector<std::string>);
    /// Child: what the parent said of that on this connection, or at the end of the last.
    const std::vector<std::string>& names_taken() const { return names_taken_; }

    // The lease lane (rules F1 to F5).
    /// Child: beats ask for a lease from now on, the first at once, or no longer do.
    void want_lease(bool);
    /// Child: until when one runs that was granted on another link, or to an earlier process.
    void holds_lease_until(Instant until) { held_until_ = until; }
    /// Child: what was granted on this link.
    const HeldLease& lease() const { return lease_; }
    /// Child: why the last request was refused; empty: it was not.
    const std::string& lease_refused() const { return lease_refused_; }
    /// Parent: what the child asks for and was not answered; a later request replaces an earlier one.
    const std::optional<LeaseQuestion>& lease_question() const { return question_; }
    /// Parent: the answer to that question. Length 0 refuses it, for this reason.
    void answer_lease(Duration length, std::string reason);
    /// Parent: the child holds durably all that it should of the desired slice.
    bool child_is_current() const;

    // A courier file instead of the wire (rule C1).
    /// For the peer: both slices as they are now, of the desired one what changed after `courier.base`. The header is the host's.
    CarriedSlices carry(Courier courier) const;
    /// What taking the peer's file would change, or why it cannot be taken. `status_held`: up to where the host has the peer's
    /// status from an earlier file; `may_be_newer`: of the desired slice we hold parts of a batch that never closed, and nothing
    /// shows that the file is later.
    Result<Taken> weigh(const CarriedSlices&, const std::optional<Cursor>& status_held, bool may_be_newer);
    /// The same, and does it: `take_apply` gives what to make durable, and `last` is the ticket behind which it is done, if
    /// anything is to be done. Only while there is no connection and nothing waits to be applied.
    struct Taking {
        Taken taken;
        std::optional<Ticket> last;
    };
    Result<Taking> take(const CarriedSlices&, const std::optional<Cursor>& status_held, bool may_be_newer);
    /// In our history: up to where the peer has our desired slice durably, as it last said on a wire or in a file; none: unknown.
    const std::optional<Cursor>& peer_cursor() const { return peer_cursor_; }
    void set_peer_cursor(std::optional<Cursor> cursor) { peer_cursor_ = cursor; }

    // What the host has to do.
    std::optional<Apply> take_apply();
    /// Objects of ours that the peer gave back (rule H3). While they are asked for and until `recall_done`, nothing else of that
    /// lane is sent.
    struct Back {
        Lane lane = Lane::desired;
        std::vector<Item> items;
        bool last = false; ///< of all that was asked for
    };
    std::optional<Back> take_returned();
    /// The next message for the wire, most urgent lane first (rule L6); bytes are the newest at this moment.
    std::optional<std::string> take_output(Instant now);
    /// The wire is to be closed once `take_output` has no more; why, for people.
    const std::optional<std::string>& over() const { return over_; }
    Instant next_wake() const;

    struct View {
        bool up = false;        ///< hellos were exchanged on this connection
        bool agreement = false; ///< both hold all they should, as far as we know
        std::optional<Instant> heard;
        Number acknowledged = 0;     ///< in our history: what the peer holds of our desired slice
        std::optional<Cursor> held;  ///< in the peer's history: what we hold of its desired slice
        bool history_behind = false; ///< the peer has seen more of our history than we have (rule H3)
        std::size_t orphans = 0;     ///< items only the peer has, which stay
        bool status_waits = false;   ///< for room: see `set_status_room`
        bool recalling = false;      ///< they are asked for, or taken in
        std::string peer_version;
        std::uint32_t format = 0; ///< of frames, as agreed with the peer; 0: never yet
        Duration beat{};
    };
    View view() const;

private:
    enum class Phase { down, hello_due, hello_sent, up };
    struct Pending {
        Ticket ticket = 0;
        std::optional<Cursor> close;
        bool done = false;
    };
    struct Receiving {
        Inbound inbound;
        bool load_due = true;    ///< the index is not what is durable
        Queue<Pending> pending;  ///< frames handed out and not acknowledged, in order
        std::uint32_t done = 0;  ///< frames of this connection that are durable
        std::string assembled;   ///< fragments so far
        Queue<Digest> give_back; ///< what the peer recalls
        bool owes_return = false;
    };
    struct Sending {
        Outbound outbound;
        std::uint32_t acknowledged = 0; ///< frames of this connection, as the peer last said
        Queue<std::string> fragments;
        Instant next_cut{};
        std::optional<std::uint64_t> room; ///< none: no bound
        bool waits = false;                ///< for room
        Instant recalled_at{};             ///< when the last recall was sent
    };

    void load_if_due(std::size_t lane);
    void bring(Lane, Inbound::Difference&&, const Cursor& end, bool closes, Taking&);
    void maybe_hello();
    void tell(const Frame&);
    void tell_settings();
    void fail_with(std::string reason);
    void settle(Receiving&);
    void take(Hello&&, Instant now);
    void resume(Hello&&);
    void take(const Beat&, Instant now);
    void take(Batch&&);
    void take(const Ack&);
    void take(Fragment&&);
    void take(Grant&&);
    void take(Recall&&);
    void take(Returned&&);
    Returned next_returned(std::size_t lane);
    std::string whole_or_fragments(std::size_t lane, std::string whole);
    std::optional<LeaseRequest> lease_request(Instant now);
    Instant lease_due() const;
    bool beat_is_due(Instant now) const;
    void dispatch(Frame&&, Instant now);
    bool lane_is_quiet(std::size_t lane) const;
    bool is_quiet() const;
    bool in_agreement() const;
    Beat beat_now() const;
    void shorten(Beat&);
    Ack ack_now();

    Options options_;
    Host& host_;
    std::uint64_t key_;
    Phase phase_ = Phase::down;
    std::optional<Hello> early_hello_; ///< the peer's, come before ours could go
    IncarnationId peer_incarnation_;
    std::string peer_version_;
    std::optional<Cursor> peer_cursor_;
    std::uint32_t format_ = 0;
    std::vector<Receiving> receiving_;
    std::vector<Sending> sending_;
    Queue<std::pair<Flow, std::string>> control_;
    Queue<Apply> applies_;
    Queue<Back> returned_;
    std::optional<std::string> over_;
    std::optional<Instant> heard_;
    Instant connected_{}, last_sent_{}, next_verify_{};
    Duration beat_{};
    std::vector<std::string> names_taken_;
    Ticket next_ticket_ = 1;
    bool ack_due_ = false;
    bool catching_up_ = false, held_ = false;
    Duration come_back_{};
    bool verify_due_[lanes] = {};
    bool history_behind_ = false;
    std::optional<Beat> digests_; ///< as last told on this connection: by us at the child, to us at the parent
    Uses uses_;
    Path path_, told_path_;
    std::uint32_t status_told_ = 0; ///< frames of the status lane that the last acknowledgement named

    std::string peer_boot_id_;
    std::optional<LeaseQuestion> question_;
    bool wants_lease_ = false;
    std::uint32_t lease_number_ = 0;
    Instant lease_asked_at_{};
    Queue<std::pair<std::uint32_t, Instant>> lease_asked_; ///< requests without an answer: their numbers, and when sent
    HeldLease lease_;
    Instant held_until_{};
    std::string lease_refused_;
};

} // namespace skerry::sync
