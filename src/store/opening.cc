#include "store/state.h"

#include "base/log.h"

#include <algorithm>
#include <set>

namespace skerry::store {

namespace {

/// Leaves room for 2^29 further openings below 2^63, the highest number SQLite can hold.
constexpr Number highest_number = Number{1} << 62;

/// Checksums find accidents; this finds rows that were made up, before they could break an invariant.
Result<void> check(const Backend::Loaded& loaded) {
    auto refuse = [](const std::string& what) {
        return fail(Code::corrupt, "the store contradicts itself (" + what +
                                       "); put back a copy that was made while skerry was stopped, or move it away "
                                       "and start anew: what the parent holds for this cell comes back over the link");
    };
    std::set<Number> numbers;
    std::set<Key> keys;
    for (const ObjectPtr& object : loaded.objects) {
        if (!keys.insert(object->key).second) return refuse("two objects " + object->key.text());
        if (object->wish.number == 0 || !object->wish.bytes) return refuse(object->key.text() + " has no wish");
        if (object->number() > highest_number) return refuse(object->key.text() + " has an impossible number");
        if (!numbers.insert(object->number()).second)
            return refuse(object->key.text() + " shares its number with another object");
    }
    for (const auto& tombstone : loaded.tombstones) {
        if (tombstone.number > highest_number) return refuse("an impossible tombstone of " + tombstone.key.text());
        if (!numbers.insert(tombstone.number).second)
            return refuse("a tombstone of " + tombstone.key.text() + " shares its number");
    }
    for (const auto& incarnation : loaded.incarnations)
        if (incarnation.first > highest_number || incarnation.head > highest_number) return refuse("an impossible incarnation");
    if (loaded.floor > highest_number) return refuse("an impossible floor");
    return {};
}

Number head_of(const Backend::Loaded& loaded) {
    Number head = loaded.floor;
    for (const ObjectPtr& object : loaded.objects) head = std::max(head, object->number());
    for (const auto& tombstone : loaded.tombstones) head = std::max(head, tombstone.number);
    for (const auto& incarnation : loaded.incarnations) head = std::max({head, incarnation.first, incarnation.head});
    return head;
}

} // namespace

Result<std::unique_ptr<Store>> Store::open(env::Env env, std::unique_ptr<Backend> backend, Options options) {
    Backend::Loaded loaded = TRY(backend->load());
    TRY_VOID(check(loaded));
    for (const std::string& damaged : loaded.damaged)
        log(Level::error, "store", "{} did not match its checksum{}", damaged,
            damaged.starts_with("note ") ? "; that there was one counts, and what it said is not known any more"
                                         : " and counts as missing; it comes back over the link, or must be applied again");

    auto state = std::make_unique<State>(env, std::move(backend), std::move(options));
    for (auto& note : loaded.notes)
        if (note.bytes) state->notes[{note.space, note.key}] = std::move(*note.bytes);

    Backend::Batch batch;
    auto id = state->notes.find({"cell", "id"});
    if (id != state->notes.end() && !id->second.empty()) {
        state->cell = CellId(TRY(Id::from_bytes(id->second) | during("the cell's id in the store")));
    } else if (loaded.format == 0) {
        state->cell = CellId(env.chance.id());
        batch.notes.push_back({"cell", "id", state->cell.bytes()});
        state->notes[{"cell", "id"}] = state->cell.bytes();
    } else {
        return fail(Code::corrupt, "the store has lost the cell's id; put back a copy that was made while skerry was stopped, or "
                                   "move it away and join anew");
    }

    const Number first = head_of(loaded) + (Number{1} << 32) + (env.chance.bits() >> 32);
    batch.open = Backend::Incarnation{IncarnationId(env.chance.id()), first, first};
    batch.head = first;
    batch.floor = loaded.floor;
    TRY_VOID(state->backend->write(batch) | during("open a new incarnation of the store"));

    state->incarnations = std::move(loaded.incarnations);
    state->incarnations.push_back(*batch.open);
    state->tables = Tables(loaded.objects, loaded.tombstones);
    state->floor = loaded.floor;
    state->visible = state->assigned = state->flushed = state->flush_until = first;
    state->damaged = std::move(loaded.damaged);
    for (Key& key : loaded.missing)
        if (!state->tables.find(key)) state->missing.insert(std::move(key));
    state->arm_scrub();
    return std::unique_ptr<Store>(new Store(std::move(state)));
}

} // namespace skerry::store
