#include "base/bytes.h"
#include "base/log.h"
#include "cell/links/applying.h"
#include "cell/links/children.h"
#include "cell/missing.h"
#include "cell/recovery/recovery.h"
#include "model/allocation.pb.h"
#include "model/bytes.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/revision.pb.h"
#include "model/text/mapping.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

/// Objects of ours that a neighbour gives back, since our history went back (rule H3); and the other side of it.
namespace skerry::cell {

namespace {

constexpr int most_return_tries = 8;
constexpr std::size_t returned_at_once = 64;
constexpr std::size_t most_left_shown = 16;
/// Notes by object, of those that are here as they came back: which recovery that was in, and the generation that they got.
constexpr std::string_view returned_space = "returned";

/// What a cell decides and its parent holds.
bool goes_up(model::Kind kind) {
    using model::Kind;
    return kind == Kind::app || kind == Kind::allocation || kind == Kind::override_ || kind == Kind::node ||
           kind == Kind::instance;
}

std::string as_it_came(store::Number since, std::uint32_t generation) { return big_endian(since) + big_endian(generation); }

bool is_allocation(const sync::Item& item) { return item.key.kind == static_cast<std::uint32_t>(model::Kind::allocation); }

} // namespace

std::string Link::seal(const sync::Item& item) const {
    bool ours = side_ == sync::Side::parent && item.key.home == context_.store.cell();
    if (!ours || static_cast<store::Part>(item.key.part) != store::Part::wish) return {};
    return context_.seals.seal(peer_.cell, item.key, item.generation, *item.bytes);
}

std::optional<sync::Item> Link::give_back(const sync::ItemKey& item) const {
    const model::KindFacts* facts = model::find_kind(item.kind);
    if (!facts || facts->kind == model::Kind::event || static_cast<store::Part>(item.part) != store::Part::wish) return {};
    store::Key key{facts->kind, item.project, item.name};
    auto object = context_.store.get(key);
    bool theirs = object && object->uid == item.uid && object->home == item.home && object->wish.from == peer_.cell;
    if (!theirs || !object->wish.bytes) return {};
    return sync::Item{.key = item,
                      .generation = object->generation,
                      .bytes = object->wish.bytes,
                      .seal = context_.store.note(sealed_space, key.text()).value_or("")};
}

/// The seal is kept beside what it is of.
void Link::stage_seal(store::Transaction& transaction, const store::Key& key, const std::string& seal) {
    if (side_ != sync::Side::child) return;
    auto kept = context_.store.note(sealed_space, key.text());
    if (kept.value_or("") == seal) return;
    if (seal.empty())
        transaction.erase_note(sealed_space, key.text());
    else
        transaction.note(sealed_space, key.text(), seal);
}

/// Allocations come last: what they are for must be here to judge them.
void Link::take_back(sync::Session::Back&& back) {
    auto& steps = coming_back_.steps;
    for (auto& item : back.items) {
        (is_allocation(item) ? coming_back_.allocations : steps).push_back({back.lane, std::move(item), false});
    }
    if (back.last) {
        std::ranges::move(std::exchange(coming_back_.allocations, {}), std::back_inserter(steps));
        steps.push_back({back.lane, {}, true});
    }
    take_back_next();
}

void Link::take_back_next() {
    if (coming_back_.busy) return;
    auto& steps = coming_back_.steps;
    store::Transaction transaction;
    std::optional<std::set<Uid>> erased; // since the history went back; none: not known any more
    if (store::Number since = context_.recovery.since(); since == 0) {
        erased.emplace();
    } else if (auto changes = context_.store.since(since)) {
        erased.emplace();
        for (const auto& change : *changes)
            if (!change.after) erased->insert(change.before->uid);
    }
    std::size_t count = 0;
    std::vector<std::pair<sync::Lane, sync::ItemKey>> taken;
    for (const auto& step : steps) {
        if (count == returned_at_once || step.last) break;
        if (!transaction.fits(step.item.bytes->size() + 1024)) break;
        if (is_allocation(step.item) != is_allocation(steps.front().item)) break; // what it refers to must be here
        if (stage_return(transaction, step.lane, step.item, erased)) taken.emplace_back(step.lane, step.item.key);
        ++count;
    }
    if (count == 0) {
        if (steps.empty()) return;
        // What was taken in and is not for the peer any more goes there, unless something refers to it that only the peer has.
        if (left_.empty())
            for (const auto& [lane, key] : coming_back_.taken) session_.let_go(lane, key);
        session_.recall_done(steps.front().lane);
        steps.pop_front();
        if (!coming_back_.taken.empty()) context_.recovery.returned(tag_, std::exchange(coming_back_.taken, {}).size());
        pump_soon();
        return take_back_next();
    }
    auto landed = [this, count, taken](const Result<store::Number>& result) {
        coming_back_.busy = false;
        bool raced = !result && (result.error().code == Code::conflict || result.error().code == Code::not_found);
        if (raced && ++coming_back_.tries < most_return_tries) return take_back_next(); // look again
        coming_back_.tries = 0;
        if (!result && !raced) return end("what came back could not be written: " + result.error().message);
        if (result) std::ranges::copy(taken, std::back_inserter(coming_back_.taken));
        coming_back_.steps.erase(coming_back_.steps.begin(), std::next(coming_back_.steps.begin(), static_cast<long>(count)));
        take_back_next();
    };
    if (transaction.empty()) return landed(store::Number{0});
    coming_back_.busy = true;
    context_.store.commit(std::move(transaction), [landed, alive = std::weak_ptr(alive_),
                                                   on = std::weak_ptr(coming_back_.connection)](Result<store::Number> result) {
        if (!alive.expired() && !on.expired()) landed(result);
    });
}

void Link::leave_there(const sync::ItemKey& key, std::string why) {
    const model::KindFacts* facts = model::find_kind(key.kind);
    std::string name = facts ? store::Key{facts->kind, key.project, key.name}.text() : "an object of an unknown kind";
    log(Level::warning, "cell", "{} holds {}, which is not taken back: {}", tag_, name, why);
    if (left_.size() < most_left_shown) left_.insert(name + " (" + std::move(why) + ")");
}

/// Puts what came back into the transaction where it is to be taken in; whether it was.
bool Link::stage_return(store::Transaction& transaction, sync::Lane lane, const sync::Item& item,
                        const std::optional<std::set<Uid>>& erased) {
    const model::KindFacts* facts = model::find_kind(item.key.kind);
    if (!facts || facts->kind == model::Kind::event || static_cast<store::Part>(item.key.part) != store::Part::wish) {
        session_.let_go(lane, item.key);
        return false;
    }
    auto leave = [&](std::string why) {
        leave_there(item.key, std::move(why));
        return false;
    };
    auto content = model::new_message(facts->kind);
    if (!form_problem(item.key).empty() || !content->ParseFromString(*item.bytes) || !matches(model::metadata(*content), item))
        return leave("it is not whole");
    if (item.key.home != context_.store.cell()) return false; // its home brings it, or has the last word on it
    // A child proves that it was sent this. The parent decides over its child's slice as it is.
    if (side_ == sync::Side::parent && !context_.seals.is_ours(peer_.cell, item))
        return leave("nothing proves that this cell made it for " + tag_);
    if (side_ == sync::Side::child && !goes_up(facts->kind)) return leave("nothing of this kind goes to a parent");
    store::Key key{facts->kind, item.key.project, item.key.name};
    bool lost = context_.store.missing().contains(key);
    if (context_.recovery.since() == 0 && !lost) return leave("this cell's history did not go back");
    if (erased && erased->contains(item.key.uid)) {
        session_.let_go(lane, item.key); // deleted here, after the history went back
        return false;
    }
    store::ObjectPtr before = context_.store.get(key);
    // A copy of what the site decided itself makes way for what it is since the site handed it over (rule H6).
    bool handed = before && before->uid == item.key.uid && before->wish.from == peer_.cell;
    if (before && before->wish.from && !handed) return leave("its name is taken here by an object of another cell");
    if (!before && !erased) return leave("it may have been deleted here since, which is too long ago to tell");
    bool same = before && before->uid == item.key.uid;
    if (same && before->generation > item.generation) return false;
    if (same && before->generation == item.generation && *before->wish.bytes == *item.bytes) return false;
    // What was decided here since the history went back is later than all that was forgotten; what came back from another peer is
    // not decided here, and this one may know a later generation of it.
    store::Number since = context_.recovery.since();
    bool ours = before && !handed && before->wish.number > since &&
                context_.store.note(returned_space, key.text()) != as_it_came(since, before->generation);
    // An Allocation of that name was made anew since, for a site that was away: what runs there goes on under it.
    bool anew = before && ours && !same && facts->kind == model::Kind::allocation;
    if (before && ours && !same && !anew) {
        session_.let_go(lane, item.key);
        return false;
    }
    // What may run only once has a new owner by now, or will have (rule H4).
    if (facts->kind == model::Kind::allocation && !context_.recovery.active() && !before) {
        const auto& spec = static_cast<const model::Allocation&>(*content).spec();
        const auto* revision = context_.store.get<model::Revision>({model::Kind::revision, key.project, spec.revision()});
        if (!revision) return leave("its Revision is not here");
        if (needs_lease(*revision, spec.component())) {
            session_.let_go(lane, item.key);
            return false;
        }
    }
    if (ours) content->ParseFromString(*before->wish.bytes);
    model::metadata(*content).set_uid(item.key.uid.text());
    std::uint32_t generation = item.generation + 1;
    model::metadata(*content).set_generation(generation);
    transaction.put(key, item.key.uid, item.key.home, generation, model::bytes_of(*content),
                    before ? store::Transaction::unchanged(*before) : store::Transaction::absent());
    if (!ours) transaction.note(returned_space, key.text(), as_it_came(since, generation));
    return true;
}

} // namespace skerry::cell
