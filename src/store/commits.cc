#include "store/state.h"

#include "base/check.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace skerry::store {

namespace {

constexpr std::size_t batch_writes = 1'024;
constexpr std::size_t batch_bytes = 4 << 20;
/// How long a full disk is taken to stay full.
constexpr Duration full_for = 5s;

std::optional<Error> too_large(std::size_t writes, std::size_t notes, std::size_t bytes) {
    if (writes <= Transaction::max_writes && notes <= Transaction::max_writes && bytes <= Transaction::max_bytes) return {};
    return Error{Code::exhausted,
                 fmt::format("a transaction holds at most {} writes, {} notes and {} bytes; this one has {}, {} and {}: split it",
                             Transaction::max_writes, Transaction::max_writes, Transaction::max_bytes, writes, notes, bytes)};
}

} // namespace

void Store::State::answer_soon(std::function<void(Result<Number>)> then, Error error) {
    if (!then) return;
    env.timers.post([alive = std::weak_ptr(alive), then = std::move(then), error = std::move(error)] {
        if (!alive.expired()) then(std::unexpected(error));
    });
}

void Store::State::commit(Transaction transaction, std::function<void(Result<Number>)> then) {
    if (dead) return answer_soon(std::move(then), *dead);
    if (queue.size() >= options.queue)
        return answer_soon(std::move(then),
                           {Code::exhausted, fmt::format("{} transactions wait for the disk; try again later", queue.size())});
    if (auto error = too_large(transaction.writes(), transaction.notes_.size(), transaction.bytes()))
        return answer_soon(std::move(then), std::move(*error));
    bool puts = std::ranges::any_of(transaction.writes_, [](const auto& write) { return write.bytes != nullptr; });
    if (full && puts) return answer_soon(std::move(then), *full);
    std::optional<Ahead::Refusal> refusal = ahead.admit(transaction, tables);
    if (refusal && !refusal->behind_queue) return answer_soon(std::move(then), std::move(refusal->error));
    // A loser is told behind the winner: were it told at once, it would read the old state again and lose again.
    if (refusal)
        queue.push_back({{}, std::move(then), std::move(refusal->error)});
    else
        queue.push_back({std::move(transaction), std::move(then), {}});
    accepted++;
    turn_soon();
}

void Store::State::turn_soon() {
    if (turn_posted || flight || dead) return;
    turn_posted = true;
    // Behind the current decision, so that everything it commits shares one batch.
    env.timers.post([this, alive = std::weak_ptr(alive)] {
        if (alive.expired()) return;
        turn_posted = false;
        turn();
    });
}

void Store::State::turn() {
    if (flight || dead || !work_waits()) return;
    draft();
    if (flight->blank()) { // nothing but refusals and empty transactions
        land();
        if (work_waits()) turn_soon();
        return;
    }
    env.workers.run(
        "store", [write = flight->write, backend = backend] { write->run(*backend); },
        [this, alive = std::weak_ptr(alive), write = flight->write] {
            if (alive.expired() || !flight || flight->write != write) return;
            land();
            turn();
        });
}

void Store::State::draft() {
    flight = std::make_shared<Flight>();
    flight->flushed = flushed;
    while (!queue.empty() && flight->settled.size() < batch_writes && flight->bytes < batch_bytes) {
        Queued next = std::move(queue.front());
        queue.pop_front();
        if (next.refusal) {
            flight->answers.push_back({std::move(next.then), std::unexpected(std::move(*next.refusal))});
            continue;
        }
        draft_writes(next.transaction);
        flight->answers.push_back({std::move(next.then), assigned});
    }
    Backend::Batch& batch = flight->write->batch;
    for (const auto& [key, object] : flight->staged) {
        if (object)
            batch.put.push_back(object);
        else
            batch.erased.push_back(flight->erased.at(key));
    }
    draft_soft();
    draft_scrub();
    for (const auto& [name, bytes] : flight->notes) batch.notes.push_back({name.first, name.second, bytes});
    draft_floor();
    batch.head = assigned;
}

void Store::State::draft_writes(const Transaction& transaction) {
    for (const Transaction::Write& write : transaction.writes_) draft_write(write);
    for (const Transaction::Note& note : transaction.notes_) flight->notes[{note.space, note.key}] = note.bytes;
    flight->bytes += transaction.bytes();
}

void Store::State::draft_write(const Transaction::Write& write) {
    flight->settled.push_back(write.key);
    const Tables::Row* row = tables.find(write.key);
    auto staged = flight->staged.find(write.key);
    const ObjectPtr before = staged != flight->staged.end() ? staged->second : row ? row->object : nullptr;

    if (!write.bytes) {
        if (!before) {
            if (missing.contains(write.key)) flight->write->batch.dropped.push_back(write.key);
            return;
        }
        const Number number = ++assigned;
        flight->erased[write.key] = {write.key, before->uid, before->home, number};
        flight->staged[write.key] = nullptr;
        flight->changes.push_back({write.key, before, nullptr, number});
        return;
    }
    if (write.part != Part::wish) {
        CHECK(before && before->uid == write.uid, "admission saw the object");
        const PartState& part = before->part(write.part);
        if (part.bytes && *part.bytes == *write.bytes && part.from == write.from) {
            // Nothing new, but the caller is promised that it is durable.
            if (row && row->dirty) flight->staged[write.key] = before, clean(*row);
            return;
        }
    }
    const bool same = before && before->uid == write.uid;
    auto after = same ? std::make_shared<Object>(*before) : std::make_shared<Object>();
    const Number number = ++assigned;
    if (write.part == Part::wish) {
        after->key = write.key;
        after->uid = write.uid;
        after->home = write.home;
        after->generation = write.generation;
    }
    after->part(write.part) = {write.bytes, number, write.from};
    flight->staged[write.key] = after;
    flight->changes.push_back({write.key, before, std::move(after), number});
    if (row) clean(*row);
}

void Store::State::clean(const Tables::Row& row) {
    if (std::exchange(row.dirty, false)) flight->cleaned.push_back(row.object->key);
}

void Store::State::draft_floor() {
    // With some slack, so that a store at the bound does not forget one at a time.
    const std::size_t kept = options.tombstones_kept;
    const std::size_t now = tables.tombstones().size();
    Number new_floor = floor;
    if (now + flight->erased.size() > kept + kept / 8) {
        std::size_t surplus = std::min(now, now + flight->erased.size() - kept);
        auto last = tables.tombstones().begin();
        std::advance(last, surplus);
        if (surplus > 0) new_floor = std::prev(last)->first;
    }
    flight->write->batch.floor = new_floor;
}

void Store::State::land() {
    const std::shared_ptr<Flight> landed = flight;
    if (!landed->blank()) {
        CHECK(landed->write->done(), "a batch lands after it was written");
        if (auto& result = landed->write->result(); !result)
            return result.error().code == Code::exhausted ? refuse_all(result.error()) : end_cell(result.error());
    }
    for (const Change& change : landed->changes) {
        if (change.after) {
            tables.put(change.after);
            missing.erase(change.key);
        } else {
            Backend::Tombstone tombstone{change.key, change.before->uid, change.before->home, change.number};
            tables.erase(tombstone);
        }
    }
    for (const auto& [name, bytes] : landed->notes) {
        if (bytes)
            notes[name] = *bytes;
        else
            notes.erase(name);
    }
    for (const Key& key : landed->settled) ahead.settle(key);
    for (const Key& key : landed->write->batch.dropped) missing.erase(key);
    if (!landed->write->is_blank()) {
        floor = landed->write->batch.floor;
        tables.forget(floor);
        incarnations.back().head = landed->write->batch.head;
    }
    visible = assigned;
    flight.reset();
    if (landed->write->scrub) compare(landed->write->rows());
    apply_reports(landed->changes);
    watches.tell(std::move(landed->changes));
    answered += landed->answers.size();
    for (Answer& answer : landed->answers)
        if (answer.then) answer.then(std::move(answer.result));
}

/// None of the batch happened, nor can what was admitted behind it: for that it was taken as done. What is soft stays in memory.
void Store::State::refuse_all(const Error& error) {
    if (!full) log(Level::warning, "store", "{}", error.message);
    full = error;
    full_timer = env.timers.after(full_for, [this] {
        full.reset();
        turn_soon();
    });
    for (const Key& key : flight->cleaned)
        if (const Tables::Row* row = tables.find(key)) row->dirty = true;
    for (const Key& key : flight->settled) ahead.settle(key);
    flushed = flush_until = flight->flushed;
    arm_flush();
    std::vector<Answer> answers = std::move(flight->answers);
    for (Answer& answer : answers)
        if (answer.result) answer.result = std::unexpected(error);
    for (Queued& queued : queue) {
        for (const auto& write : queued.transaction.writes_) ahead.settle(write.key);
        answers.push_back({std::move(queued.then), std::unexpected(queued.refusal.value_or(error))});
    }
    queue.clear();
    visible = assigned;
    if (flight->write->scrub) arm_scrub(); // what was to be mended is found again
    flight.reset();
    std::vector<Change> changes;
    apply_reports(changes);
    watches.tell(std::move(changes));
    answered += answers.size();
    for (Answer& answer : answers)
        if (answer.then) answer.then(answer.result);
}

void Store::State::end_cell(const Error& error) {
    dead = Error{Code::unavailable, "the store's disk refused a write, and this cell ends: " + error.message};
    log(Level::error, "store", "{}", dead->message);
    std::vector<Answer> answers = std::move(flight->answers);
    for (Queued& queued : queue) answers.push_back({std::move(queued.then), 0});
    queue.clear();
    reports.clear();
    report_places.clear();
    flight.reset();
    answered = accepted;
    for (Answer& answer : answers)
        if (answer.then) answer.then(std::unexpected(*dead));
    if (options.failed) return options.failed(*dead);
    CHECK(!dead, dead->message);
}

Result<void> Store::State::flush() {
    CHECK(!watches.telling(), "a flush inside a watcher would wait for itself");
    auto until = [this](auto done) {
        while (!dead && !done()) {
            if (!flight) draft();
            if (!flight->blank()) {
                flight->write->run(*backend);
                flight->write->wait();
            }
            land();
        }
    };
    until([this, goal = accepted] { return answered >= goal && !flight; });
    flush_until = visible;
    until([this] { return !soft_due(); });
    if (dead) return std::unexpected(*dead);
    if (work_waits()) turn_soon();
    return {};
}

} // namespace skerry::store
