#include "cell/writing.h"

#include "base/check.h"
#include "base/log.h"
#include "cell/links/seats.h"
#include "cell/missing.h"
#include "model/allocation.pb.h"
#include "model/bytes.h"
#include "model/meta.pb.h"
#include "model/parts.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace skerry::cell {

struct Writing::State {
    std::vector<store::Transaction> sending;
    std::size_t pending = 0;
    bool woken = false; ///< wanted a turn meanwhile
    std::optional<Error> error;
    std::function<void(Result<void>)> done;
};

Writing::Writing(Cell& cell, std::string_view loop) : cell_(cell), loop_(loop), state_(std::make_shared<State>()) {}
Writing::~Writing() = default;

bool Writing::begin() {
    if (cell_.recovery().active()) return false; // all loops are woken when that is over
    if (state_->pending > 0) {
        state_->woken = true;
        return false;
    }
    open_.reset();
    state_->sending.clear();
    return true;
}

store::Transaction& Writing::room(std::size_t bytes) {
    if (open_ && !open_->empty() && !open_->fits(bytes)) send();
    if (!open_) open_.emplace();
    return *open_;
}

void Writing::send() {
    if (open_ && !open_->empty()) state_->sending.push_back(std::move(*open_));
    open_.reset();
}

Uid Writing::create(model::Kind kind, google::protobuf::Message& message) {
    CellId home = cell_.store().cell();
    model::Meta& meta = model::metadata(message);
    auto remains = remains_of(cell_.store(), {kind, meta.namespace_(), meta.name()});
    Uid uid = remains ? remains->uid : Uid(cell_.env().chance.id());
    std::uint32_t generation = remains ? remains->generation + 1 : 1;
    meta.set_uid(uid.text());
    meta.set_home(home.text());
    meta.set_generation(generation);
    meta.set_creation_timestamp(rfc3339(cell_.env().clock.wall()));
    std::string bytes = model::bytes_of(message);
    store::Transaction& transaction = room(bytes.size());
    store::Key key{kind, meta.namespace_(), meta.name()};
    transaction.put(key, uid, home, generation, std::move(bytes), store::Transaction::absent());
    keep_seat(transaction, cell_.store(), key, uid);
    return uid;
}

void Writing::update(const store::Object& before, google::protobuf::Message& wish, std::uint32_t seen) {
    std::uint32_t generation = std::max(before.generation, seen) + 1;
    model::metadata(wish).set_generation(generation);
    std::string bytes = model::bytes_of(wish);
    store::Transaction& transaction = room(bytes.size());
    transaction.put(before.key, before.uid, before.home, generation, std::move(bytes), store::Transaction::unchanged(before));
}

void Writing::erase(const store::Object& object) {
    if (lacks_wishes(cell_.store())) return;
    room(0).erase(object.key, {.number = {}, .uid = object.uid});
}

void Writing::note(std::string_view space, std::string_view key, std::string bytes) {
    room(bytes.size()).note(space, key, std::move(bytes));
}

void Writing::erase_note(std::string_view space, std::string_view key) { room(0).erase_note(space, key); }

model::Epoch Writing::next_epoch() { return cell_.epochs().next(room(0)); }

void Writing::raise_term(std::uint32_t seen) { cell_.epochs().raise(seen, room(0)); }

void Writing::end(std::function<void(Result<void>)> done) {
    send();
    auto batches = std::exchange(state_->sending, {});
    state_->done = std::move(done);
    state_->error.reset();
    state_->pending = batches.size();
    if (batches.empty()) {
        if (auto tell = std::exchange(state_->done, {})) tell({});
        return;
    }
    for (auto& batch : batches) {
        cell_.store().commit(std::move(batch), [this, weak = std::weak_ptr(state_)](Result<store::Number> result) {
            auto state = weak.lock();
            if (!state) return;
            if (!result && !state->error) {
                state->error = result.error();
                log(Level::debug, "cell", "loop {}: {}", loop_, result.error().message);
            }
            if (--state->pending > 0) return;
            if (auto tell = std::exchange(state->done, {}))
                tell(state->error ? Result<void>(std::unexpected(*state->error)) : Result<void>());
            if (std::exchange(state->woken, false)) cell_.wake(loop_);
        });
    }
}

void report_part(store::Store& store, const store::Object& object, store::Part part,
                 const google::protobuf::MessageLite& message) {
    auto result = store.report(object.key, object.uid, part, model::bytes_of(message));
    if (!result && result.error().code != Code::not_found)
        log(Level::warning, "cell", "report of {}: {}", object.key.text(), result.error().message);
}

} // namespace skerry::cell
