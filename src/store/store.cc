#include "store/state.h"

#include <algorithm>

#include <fmt/format.h>

namespace skerry::store {

bool Change::changed(Part part) const {
    if (!before || !after) return part == Part::wish || (before ? before : after)->part(part).bytes;
    return before->uid != after->uid || before->part(part).number != after->part(part).number;
}

Store::State::State(env::Env e, std::shared_ptr<Backend> b, Options o) : env(e), backend(std::move(b)), options(std::move(o)) {}

Store::State::~State() {
    if (flight) flight->write->cancel();
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;

CellId Store::cell() const { return state_->cell; }

ObjectPtr Store::get(const Key& key) const { return state_->tables.get(key); }
std::vector<ObjectPtr> Store::list(model::Kind kind, std::optional<std::string_view> project) const {
    return state_->tables.list(kind, project);
}
std::size_t Store::count(model::Kind kind) const { return state_->tables.count(kind); }

void Store::commit(Transaction transaction, std::function<void(Result<Number>)> then) {
    state_->commit(std::move(transaction), std::move(then));
}

Result<void> Store::report(const Key& key, Uid uid, Part part, std::string bytes, CellId from) {
    return state_->report({key, uid, part, std::make_shared<const std::string>(std::move(bytes)), from});
}

std::optional<std::string> Store::note(std::string_view space, std::string_view key) const {
    auto note = state_->notes.find({std::string(space), std::string(key)});
    return note == state_->notes.end() ? std::nullopt : std::optional(note->second);
}

std::vector<std::pair<std::string, std::string>> Store::notes(std::string_view space) const {
    std::vector<std::pair<std::string, std::string>> notes;
    for (auto note = state_->notes.lower_bound({std::string(space), {}});
         note != state_->notes.end() && note->first.first == space; ++note)
        notes.emplace_back(note->first.second, note->second);
    return notes;
}

std::unique_ptr<Watch> Store::watch(std::function<void(const Change&)> call) {
    return state_->watches.add(std::move(call), state_->visible);
}

Cursor Store::cursor() const { return {state_->incarnations.back().id, state_->visible}; }

bool Store::knows(const Cursor& cursor) const {
    if (cursor.number < state_->floor) return false;
    const auto& incarnations = state_->incarnations;
    if (cursor.incarnation == incarnations.back().id) return cursor.number <= state_->visible;
    return std::any_of(incarnations.begin(), incarnations.end(),
                       [&](const auto& i) { return i.id == cursor.incarnation && cursor.number <= i.head; });
}

bool Store::knows(Number number) const {
    if (number < state_->floor || number > state_->visible) return false;
    const auto& incarnations = state_->incarnations;
    if (number >= incarnations.back().first) return true;
    return std::any_of(incarnations.begin(), incarnations.end(),
                       [&](const auto& i) { return i.first <= number && number <= i.head; });
}

namespace {

Change change_of(Number number, const Backend::Tombstone& tombstone) {
    auto before = std::make_shared<Object>();
    before->key = tombstone.key;
    before->uid = tombstone.uid;
    before->home = tombstone.home;
    return {before->key, before, nullptr, number};
}

std::unexpected<Error> not_kept(Number number, Number floor) {
    return fail(Code::gone,
                fmt::format("changes after {} are no longer kept (only those after {}); list everything anew", number, floor));
}

} // namespace

Result<std::vector<Change>> Store::since(Number number) const {
    if (number < state_->floor) return not_kept(number, state_->floor);
    std::vector<Change> changes;
    const auto& tombstones = state_->tables.tombstones();
    auto tombstone = tombstones.upper_bound(number);
    auto bury_up_to = [&](Number until) {
        for (; tombstone != tombstones.end() && tombstone->first < until; ++tombstone)
            changes.push_back(change_of(tombstone->first, tombstone->second));
    };
    state_->tables.rows_after(number, [&](const Tables::Row& row) {
        bury_up_to(row.object->number());
        changes.push_back({row.object->key, nullptr, row.object, row.object->number()});
        return true;
    });
    bury_up_to(~Number{0});
    return changes;
}

Result<std::vector<Change>> Store::erased_since(Number number) const {
    if (number < state_->floor) return not_kept(number, state_->floor);
    std::vector<Change> changes;
    const auto& tombstones = state_->tables.tombstones();
    for (auto at = tombstones.upper_bound(number); at != tombstones.end(); ++at)
        changes.push_back(change_of(at->first, at->second));
    return changes;
}

Number Store::durable() const { return state_->incarnations.back().head; }

std::vector<Cursor> Store::heads() const {
    std::vector<Cursor> heads;
    for (const auto& incarnation : state_->incarnations) heads.push_back({incarnation.id, incarnation.head});
    return heads;
}

std::vector<IncarnationId> Store::incarnations() const {
    std::vector<IncarnationId> ids;
    for (const auto& incarnation : state_->incarnations) ids.push_back(incarnation.id);
    return ids;
}

const std::vector<std::string>& Store::damaged() const { return state_->damaged; }
const std::set<Key>& Store::missing() const { return state_->missing; }
std::uint64_t Store::mended() const { return state_->mended; }

Result<void> Store::flush() { return state_->flush(); }

} // namespace skerry::store
