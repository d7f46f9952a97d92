#include "cell/links/applying.h"

#include "base/bytes.h"
#include "base/log.h"
#include "cell/handover.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/rules/validate.h"
#include "model/text/mapping.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {

constexpr int most_tries = 8;

std::unexpected<Error> refuse(const sync::ItemKey& key, std::string_view why) {
    const model::KindFacts* facts = model::find_kind(key.kind);
    std::string name = key.project.empty() ? key.name : key.project + "/" + key.name;
    return fail(Code::forbidden,
                fmt::format("{} {}: {}", facts ? facts->name : "object of an unknown kind", model::quoted(name), why));
}

} // namespace

std::string_view form_problem(const sync::ItemKey& key) {
    if (!model::format_problem("name", key.name).empty()) return "its name has not the form of names";
    if (!key.project.empty() && !model::format_problem("label", key.project).empty())
        return "its project has not the form of project names";
    return {};
}

bool matches(const model::Meta& meta, const sync::Item& item) {
    return meta.name() == item.key.name && meta.namespace_() == item.key.project && meta.uid() == item.key.uid.text() &&
           meta.home() == item.key.home.text() && meta.generation() == item.generation;
}

std::string write_cursor(const sync::Cursor& cursor) { return cursor.incarnation.bytes() + big_endian(cursor.number); }

std::optional<sync::Cursor> read_cursor(std::string_view bytes) {
    if (bytes.size() != 24) return {};
    auto id = Id::from_bytes(bytes.substr(0, 16));
    if (!id) return {};
    return sync::Cursor{IncarnationId(*id), read_big_endian(bytes.substr(16))};
}

void Link::keep_out(sync::Lane lane, const sync::ItemKey& key, std::string why, bool name_taken) {
    const model::KindFacts* facts = model::find_kind(key.kind);
    if (!facts) return;
    store::Key at{facts->kind, key.project, key.name};
    std::pair place(std::move(at), key.part);
    if (!kept_out_.contains(place)) log(Level::info, "cell", "{}: {}", tag_, why);
    kept_out_.insert_or_assign(std::move(place), KeptOut{lane, key, std::move(why), name_taken});
    if (keeping_out_) keeping_out_();
}

Result<void> Link::stage(store::Transaction& transaction, const sync::Item& item) {
    sync::Lane lane = applying_->apply.lane;
    const model::KindFacts* facts = model::find_kind(item.key.kind);
    if (!facts) {
        keep_out(lane, item.key, {}); // a newer neighbour's; the next program will ask for it
        return {};
    }
    if (auto problem = form_problem(item.key); !problem.empty()) {
        if (side_ == sync::Side::parent) return refuse(item.key, problem);
        // A parent's mistake with one object must not hold back all the others.
        keep_out(lane, item.key, fmt::format("{} {}: {}", facts->name, model::quoted(item.key.name), problem));
        return {};
    }
    store::Key key{facts->kind, item.key.project, item.key.name};
    auto part = static_cast<store::Part>(item.key.part);
    auto content = model::new_message(facts->kind);
    if (!content->ParseFromString(*item.bytes)) return refuse(item.key, "its bytes are no object of this kind");
    store::ObjectPtr before = context_.store.get(key);
    if (lane !=
        (context_.slicer.lane_for(peer_.role, {key, part}) == SliceLane::desired ? sync::Lane::desired : sync::Lane::status))
        return refuse(item.key, "it belongs on the other lane");
    bool here = applying_->put.contains(key) || (before && before->uid == item.key.uid);
    if (part != store::Part::wish && !here) {
        keep_out(lane, item.key, fmt::format("{}: a status came of an object that is not here", key.text()));
        return {};
    }
    bool goes_over = std::ranges::count(handed_over, key.kind) > 0 && part == store::Part::wish;
    if (side_ == sync::Side::parent && goes_over && item.key.home == context_.store.cell()) {
        if (!matches(model::metadata(*content), item))
            return refuse(item.key, "its metadata differs from what it was announced as");
        stage_handover(transaction, item, key, *content);
        return {};
    }
    if (!context_.slicer.accepts(peer_, {key, part}, item.key.home, *content,
                                 applying_->put.contains(key) ? nullptr : before.get()))
        return refuse(item.key, fmt::format("{} may not decide this", tag_));
    if (part != store::Part::wish) {
        if (auto field = model::field_beside_status(*content); !field.empty())
            return refuse(item.key, fmt::format("its status says {} too, which is for its wish to say", field));
        applying_->reports.push_back(item);
        kept_out_.erase({key, item.key.part});
        return {};
    }
    if (!matches(model::metadata(*content), item)) return refuse(item.key, "its metadata differs from what it was announced as");
    if (item.key.home == context_.store.cell()) {
        keep_out(lane, item.key,
                 fmt::format("{}: the other side holds an object that is decided here and is gone here", key.text()));
        return {};
    }
    if (before) {
        bool same = before->uid == item.key.uid && before->home == item.key.home;
        bool from_there = side_ == sync::Side::child ? bool(before->wish.from) : before->wish.from == peer_.cell;
        // What this cell handed over is back as the parent's, who has it durably: from here on it is a copy (rule H6).
        from_there |= side_ == sync::Side::child && same && is_handed_over(*before, context_.store.cell());
        if (!from_there) {
            keep_out(lane, item.key,
                     fmt::format("{}: the name is taken here by another object (NameTaken); delete or rename one of the two",
                                 key.text()),
                     true);
            return {};
        }
        if (same && before->generation > item.generation) {
            if (carrying_) carrying_->met_later = true;
            keep_out(lane, item.key,
                     fmt::format("{}: generation {} arrived, generation {} is known here: the sender's history went back",
                                 key.text(), item.generation, before->generation));
            return {};
        }
    }
    transaction.put(key, item.key.uid, item.key.home, item.generation, *item.bytes,
                    before ? store::Transaction::unchanged(*before) : store::Transaction::absent(), peer_.cell);
    stage_seal(transaction, key, item.seal);
    applying_->put.insert(key);
    kept_out_.erase({key, item.key.part});
    return {};
}

/// Rule H6: a site says that this is decided here from now on.
void Link::stage_handover(store::Transaction& transaction, const sync::Item& item, const store::Key& key,
                          const google::protobuf::Message& content) {
    sync::Lane lane = applying_->apply.lane;
    store::ObjectPtr before = context_.store.get(key);
    bool same = before && before->uid == item.key.uid;
    if (same && !before->wish.from) return; // it was taken in before
    if (before && before->wish.from != peer_.cell)
        return keep_out(lane, item.key,
                        fmt::format("{}: {} hands it over, and the name is taken here by another object (NameTaken); delete or "
                                    "rename that",
                                    key.text(), tag_),
                        true);
    std::string problem = same && before->generation >= item.generation
                              ? fmt::format("generation {} is known here already", before->generation)
                              : handover_problem(context_.store, peer_.name, peer_.cell, key, content);
    if (!problem.empty()) return keep_out(lane, item.key, fmt::format("{}: not taken over: {}", key.text(), problem));
    transaction.put(key, item.key.uid, item.key.home, item.generation, *item.bytes,
                    before ? store::Transaction::unchanged(*before) : store::Transaction::absent());
    applying_->put.insert(key);
    kept_out_.erase({key, item.key.part});
    log(Level::info, "cell", "{} hands over {}, which is decided here now", tag_, key.text());
}

void Link::stage_removal(store::Transaction& transaction, const sync::ItemKey& item) {
    const model::KindFacts* facts = model::find_kind(item.kind);
    if (!facts) return;
    store::Key key{facts->kind, item.project, item.name};
    if (auto at = kept_out_.find({key, item.part}); at != kept_out_.end() && at->second.key == item) kept_out_.erase(at);
    auto part = static_cast<store::Part>(item.part);
    store::ObjectPtr before = context_.store.get(key);
    if (!before || before->uid != item.uid || before->part(part).from != peer_.cell) return;
    if (before->home != item.home) return;    // its home has moved (rule H6), and it goes on under that
    if (applying_->put.contains(key)) return; // another object of this name came in the same frame, and replaces it whole
    if (part == store::Part::wish) {
        transaction.erase(key, {.number = {}, .uid = before->uid});
        stage_seal(transaction, key, {});
    } else {
        applying_->reports.push_back({.key = item, .generation = 0, .bytes = std::make_shared<const std::string>()});
    }
}

Result<void> Link::stage(store::Transaction& transaction, const sync::Apply& apply) {
    for (const sync::Item& item : apply.items) TRY_VOID(stage(transaction, item));
    for (const sync::ItemKey& key : apply.removed) stage_removal(transaction, key);
    note_open(transaction, apply);
    // The cursor of status lives in memory (rule L4), so that reports cost no write.
    if (apply.close && apply.lane == sync::Lane::desired) {
        std::string cursor = write_cursor(*apply.close);
        if (context_.store.note(cursor_space, peer_.cell.text()) != cursor)
            transaction.note(cursor_space, peer_.cell.text(), cursor);
    }
    return {};
}

void Link::apply_next() {
    if (applying_ || queue_.empty()) return;
    applying_ = std::make_unique<Applying>(Applying{.apply = std::move(queue_.front())});
    queue_.pop_front();
    apply();
}

void Link::apply() {
    store::Transaction transaction;
    applying_->reports.clear();
    applying_->put.clear();
    auto staged = stage(transaction, applying_->apply);
    if (!staged) {
        bool again = std::exchange(refused_, staged.error().message) == staged.error().message; // it tries for ever
        log(again ? Level::debug : Level::warning, "cell", "{}: {}", tag_, staged.error().message);
        return reject("refused: " + staged.error().message);
    }
    if (transaction.empty()) return landed(store::Number{0});
    context_.store.commit(std::move(transaction), [this, alive = std::weak_ptr(alive_)](Result<store::Number> result) {
        if (!alive.expired()) landed(std::move(result));
    });
}

void Link::reject(std::string why) {
    // Nothing behind a frame that failed may move the cursor: what waits goes with it, and comes again.
    while (auto apply = session_.take_apply()) queue_.push_back(std::move(*apply));
    queue_.push_front(std::move(applying_->apply));
    applying_.reset();
    for (const sync::Apply& apply : std::exchange(queue_, {})) session_.rejected(apply.ticket, why);
    if (carrying_ && carrying_->last) end_carrying(fail(Code::conflict, why));
    pump_soon();
}

void Link::landed(Result<store::Number> result) {
    if (!result) {
        bool raced = result.error().code == Code::conflict || result.error().code == Code::not_found ||
                     result.error().code == Code::exhausted;
        if (raced && ++applying_->tries < most_tries) return apply(); // somebody here was faster: look again
        return reject("could not be written: " + result.error().message);
    }
    report_parts();
    if (applying_->apply.close && applying_->apply.lane == sync::Lane::desired) let_go_of_missing();
    sync::Ticket ticket = applying_->apply.ticket;
    applying_.reset();
    session_.applied(ticket, context_.env.clock.now());
    if (carrying_ && carrying_->last == ticket) carried_all();
    pump_soon();
}

/// In agreement with the parent: what our disk lost of what a parent decides, and what is not back by now, is not wanted any
/// more. A node decides nothing; elsewhere, what may have been decided here is for people to let go.
void Link::let_go_of_missing() {
    using model::Kind;
    const store::Store& store = context_.store;
    if (side_ != sync::Side::child || store.missing().empty()) return;
    auto apps = store.list(Kind::app);
    bool has_apps = std::ranges::any_of(apps, [&](const auto& app) { return app->home == store.cell(); });
    auto is_parents = [&](Kind kind) {
        if (context_.self.role == env::Peer::Role::node) return true;
        if (kind == Kind::site || kind == Kind::project) return true;
        bool follows = kind == Kind::allocation || kind == Kind::revision || kind == Kind::secret || kind == Kind::config;
        return follows && !has_apps;
    };
    store::Transaction transaction;
    for (const store::Key& key : store.missing()) {
        if (!is_parents(key.kind)) continue;
        if (!transaction.fits(0)) break;
        transaction.erase(key, store::Transaction::anything());
    }
    if (!transaction.empty()) context_.store.commit(std::move(transaction), nullptr);
}

void Link::report_parts() {
    for (const sync::Item& item : applying_->reports) {
        store::Key key{static_cast<model::Kind>(item.key.kind), item.key.project, item.key.name};
        auto done = context_.store.report(key, item.key.uid, static_cast<store::Part>(item.key.part), *item.bytes, peer_.cell);
        if (!done && !item.bytes->empty()) keep_out(applying_->apply.lane, item.key, done.error().message);
    }
}

} // namespace skerry::cell
