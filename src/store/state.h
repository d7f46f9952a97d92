#pragma once

#include "store/ahead.h"
#include "store/disk_write.h"
#include "store/store.h"
#include "store/tables.h"
#include "store/watches.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

namespace skerry::store {

/// The inside of a store.
///
///     commit ──► queue ──draft──► flight ──disk──► land ──► tables, watchers, `then`s
///     report ──────────────────────┬─ no flight: at once ─► tables, watchers
///                                  └─ flight: `reports`, which land right behind it
///
/// A transaction is checked when it is queued (against `ahead`), and gets its numbers when its batch is drafted. From then on
/// until the batch lands no other change gets a number, so numbers become visible in order. At most one batch is in flight;
/// meanwhile the next one gathers: that is the group commit.
struct Store::State {
    State(env::Env, std::shared_ptr<Backend>, Options);
    ~State();

    struct Queued {
        Transaction transaction;
        std::function<void(Result<Number>)> then;
        std::optional<Error> refusal; ///< lost against something still on its way: told once that is visible
    };
    struct Answer {
        std::function<void(Result<Number>)> then;
        Result<Number> result;
    };
    /// A batch between its draft and its landing.
    struct Flight {
        std::shared_ptr<DiskWrite> write = std::make_shared<DiskWrite>();
        std::map<Key, ObjectPtr> staged; ///< latest state of each key it touches; null: erased
        std::map<Key, Backend::Tombstone> erased;
        std::vector<Change> changes;
        std::map<std::pair<std::string, std::string>, std::optional<std::string>> notes;
        std::vector<Key> settled; ///< one entry per write
        std::vector<Key> cleaned; ///< rows that were dirty before it
        Number flushed = 0;       ///< before it
        std::vector<Answer> answers;
        std::size_t bytes = 0;
        bool blank() const { return write->is_blank() && !write->scrub; }
    };
    struct Report {
        Key key;
        Uid uid;
        Part part;
        Blob bytes;
        CellId from;
    };

    // commits.cc
    void commit(Transaction, std::function<void(Result<Number>)>);
    void answer_soon(std::function<void(Result<Number>)>, Error);
    void turn_soon();
    void turn();
    bool work_waits() const { return !queue.empty() || soft_due() || scrub_due || !unsound.empty(); }
    void draft();
    void draft_writes(const Transaction&);
    void draft_write(const Transaction::Write&);
    void draft_floor();
    void land();
    void end_cell(const Error&);
    void refuse_all(const Error&);
    void clean(const Tables::Row&);
    Result<void> flush();

    // reports.cc
    Result<void> report(Report);
    std::optional<Change> apply(const Report&);
    void apply_reports(std::vector<Change>& changes);
    bool soft_due() const { return !full && flush_until > flushed; }
    void draft_soft();
    void arm_flush();

    // scrub.cc
    void arm_scrub();
    void draft_scrub();
    void compare(const Result<Backend::Rows>&);
    bool is_as_here(const Tables::Row& ours, const Object& theirs) const;
    void end_scrub_pass();

    env::Env env;
    std::shared_ptr<Backend> backend;
    Options options;
    /// Gone when the store is: callbacks look before they touch it.
    std::shared_ptr<char> alive = std::make_shared<char>();

    CellId cell;
    std::vector<Backend::Incarnation> incarnations;
    Tables tables;
    std::map<std::pair<std::string, std::string>, std::string> notes;
    Number visible = 0;  ///< everything up to here can be read
    Number assigned = 0; ///< the last number given; above `visible` only while a batch is in flight
    Number floor = 0;
    std::vector<std::string> damaged;
    std::set<Key> missing;
    Watches watches;

    Ahead ahead;
    std::deque<Queued> queue;
    std::shared_ptr<Flight> flight;
    bool turn_posted = false;
    std::uint64_t accepted = 0, answered = 0; ///< transactions, for flush
    std::optional<Error> dead;
    std::optional<Error> full; ///< the disk had no room a moment ago: until it is asked again only what erases goes there
    std::unique_ptr<env::Timer> full_timer;

    std::vector<Report> reports;                                       ///< made during the flight, at most one per key and part
    std::unordered_map<Key, std::array<std::size_t, 3>> report_places; ///< by part; 0: none, else place + 1
    Number flushed = 0;                                                ///< no row with a number up to here is dirty
    Number flush_until = 0;                                            ///< a flush is due for rows up to here
    bool flush_armed = false;
    std::unique_ptr<env::Timer> flush_timer;

    bool scrub_due = false;
    std::string scrub_place;             ///< where it goes on
    Number scrub_began = 0;              ///< what was visible when this pass began
    std::vector<std::size_t> scrub_seen; ///< hashes of the keys that this pass has met
    std::set<Key> unsound;               ///< rows to be written again from memory
    std::uint64_t mended = 0;
    std::unique_ptr<env::Timer> scrub_timer;
};

} // namespace skerry::store
