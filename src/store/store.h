#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "env/env.h"
#include "store/backend.h"
#include "store/object.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::store {

/// One change as watchers see it. `before` is null for a new object, `after` for a deleted one.
struct Change {
    Key key;
    ObjectPtr before;
    ObjectPtr after;
    Number number = 0;
    bool changed(Part part) const;
};

/// A set of writes that take effect together or not at all (rule S4: at most 128 writes and 1 MiB).
class Transaction {
public:
    /// What a write demands of the object at the time it is applied, else the whole transaction is a `conflict`.
    struct Expect {
        std::optional<Number> number; ///< of the wish part, as the writer read it; 0: no such object
        std::optional<Uid> uid;
    };
    static Expect anything() { return {}; }
    static Expect absent() { return {.number = 0, .uid = {}}; }
    static Expect unchanged(const Object& object) { return {.number = object.wish.number, .uid = object.uid}; }

    /// Replaces the wish. `from` is zero for what is decided here. A different uid under the same key replaces the object whole
    /// (other parts go with the old one).
    void put(const Key&, Uid, CellId home, std::uint32_t generation, std::string wish, Expect, CellId from = {});
    /// Replaces found or seen durably with the transaction (what comes over a link in a batch); the object must exist.
    void put_part(const Key&, Uid, Part, std::string bytes, CellId from);
    /// Leaves a tombstone. Nothing to erase is fine unless expected otherwise.
    void erase(const Key&, Expect);
    /// Private bytes of the cell (cursors, handles, identity): never on a link, never in the API.
    void note(std::string_view space, std::string_view key, std::string bytes);
    void erase_note(std::string_view space, std::string_view key);

    bool empty() const { return writes_.empty() && notes_.empty(); }
    std::size_t writes() const { return writes_.size(); }
    std::size_t bytes() const { return bytes_; }
    /// Whether one more write or note of so many bytes fits.
    bool fits(std::size_t more_bytes) const {
        return writes_.size() < max_writes && notes_.size() < max_writes && bytes_ + more_bytes <= max_bytes;
    }
    static constexpr std::size_t max_writes = 128;
    static constexpr std::size_t max_bytes = 1 << 20;

private:
    friend class Store;
    friend class Ahead;
    struct Write {
        Key key;
        Uid uid;
        CellId home;
        std::uint32_t generation = 0;
        Part part = Part::wish;
        Blob bytes; ///< null: erase
        CellId from;
        Expect expect;
    };
    struct Note {
        std::string space, key;
        std::optional<std::string> bytes;
    };
    std::vector<Write> writes_;
    std::vector<Note> notes_;
    std::size_t bytes_ = 0;
};

/// A place in one cell's history (rule S3).
struct Cursor {
    IncarnationId incarnation;
    Number number = 0;
    auto operator<=>(const Cursor&) const = default;
};

/// Stops its watch when destroyed.
class Watch {
public:
    virtual ~Watch() = default;
};

/// The objects of one cell: tables in memory, made durable through a Backend.
///
/// Deciding thread only. Reads show what is durable (and soft status), never what is still on its way to disk. Numbers become
/// visible in ascending order without exception: what was reported while a batch was being written shows right behind that batch.
class Store {
public:
    struct Options {
        /// How often changed soft status is written to disk, at most.
        Duration soft_flush = 60s;
        std::size_t tombstones_kept = 10'000;
        /// Between two steps of the scrub, which reads 128 rows in each and an hour's worth of steps after its last row begins
        /// anew; zero: none.
        Duration scrub_step{};
        /// Transactions waiting for the disk beyond this are refused with `exhausted`.
        std::size_t queue = 4'096;
        /// Called when the disk has refused a write, after everybody who waited was told `unavailable`: the cell must end, and be
        /// opened again. Nothing more is written; commits and reports answer `unavailable`. Must not destroy the store. Null:
        /// abort.
        std::function<void(const Error&)> failed = {};
    };

    /// Loads everything, closes the last incarnation at its durable head and opens a new one, durable before this returns (rule
    /// S2). Blocks. `unsupported`, with the remedy, for a format version this build does not know.
    static Result<std::unique_ptr<Store>> open(env::Env, std::unique_ptr<Backend>, Options);
    ~Store();

    /// This store's id, made at its first opening.
    CellId cell() const;

    ObjectPtr get(const Key&) const;
    template<class M>
    const M* get(const Key& key) const {
        ObjectPtr object = get(key);
        return object ? &as<M>(*object) : nullptr; // kept alive by the table until the next change of the object
    }
    /// In order of (project, name); all projects where none is given.
    std::vector<ObjectPtr> list(model::Kind, std::optional<std::string_view> project = {}) const;
    std::size_t count(model::Kind) const;

    /// Checks every Expect against what is durable and what is on its way, then makes it durable together with others (group
    /// commit), makes it visible, tells watchers, and calls `then` with the number of its last write. `then` may be null. Never
    /// calls back before it returns. A conflict with something on its way is told once that is visible, so that who reads again
    /// sees it. A put_part or report of the bytes and origin that the part has takes no number. `exhausted` beyond the bounds of
    /// a transaction, the queue or the disk (where what only erases has more). If the disk fails, see `Options::failed`.
    void commit(Transaction, std::function<void(Result<Number>)> then);
    /// Replaces a soft part, visible at once (or right behind the batch being written), on disk within `soft_flush`. Equal bytes
    /// change nothing and take no number. `not_found` without the object or with another uid.
    Result<void> report(const Key&, Uid, Part, std::string bytes, CellId from = {});

    std::optional<std::string> note(std::string_view space, std::string_view key) const;
    std::vector<std::pair<std::string, std::string>> notes(std::string_view space) const;

    /// Called for each change, in order of numbers, once visible.
    [[nodiscard]] std::unique_ptr<Watch> watch(std::function<void(const Change&)>);

    /// The place up to which everything is visible now.
    Cursor cursor() const;
    /// Rule S3: listed incarnation, at or below its durable head, above the tombstone floor. For the current incarnation soft
    /// numbers count too.
    bool knows(const Cursor&) const;
    /// The same for a number alone, as API clients keep it (resourceVersion): it lies within a listed incarnation's known
    /// numbers.
    bool knows(Number) const;
    /// Every object changed after `number`, latest state only, in order of their numbers; deleted ones have `after` null and a
    /// `before` of key, uid and home only. `gone` below the tombstone floor.
    Result<std::vector<Change>> since(Number number) const;
    /// Only those that were deleted, in the same form. Costs what they are, however much else has changed.
    Result<std::vector<Change>> erased_since(Number number) const;
    std::vector<IncarnationId> incarnations() const;
    /// Up to which number this cell's history is on the disk: those of soft status may be above it.
    Number durable() const;
    /// The durable head of each of them, in the same order; final but for the last.
    std::vector<Cursor> heads() const;
    /// What was found damaged at opening, and is missing since (rule S5): "App retail/till".
    const std::vector<std::string>& damaged() const;
    /// Those of them that are still missing: not put again since, nor erased. What hangs on them must not be taken for unwanted.
    const std::set<Key>& missing() const;
    /// Rows that the scrub found damaged or lost, and that were written again from memory.
    std::uint64_t mended() const;

    /// Writes soft status and waits for everything on its way; for a clean end. Blocks. Watchers and `then`s are called from
    /// within; not to be called from a watcher.
    Result<void> flush();

private:
    struct State;
    explicit Store(std::unique_ptr<State>);
    std::unique_ptr<State> state_;
};

} // namespace skerry::store
