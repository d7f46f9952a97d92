#include "cell/event_log.h"

#include "base/digest.h"
#include "base/log.h"
#include "model/event.pb.h"
#include "model/meta.pb.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace skerry::cell {

namespace {

constexpr double burst = 50;
constexpr std::size_t longest_message = 1'024;
constexpr std::size_t longest_stem = 200;

std::string cut(std::string_view text) {
    std::size_t end = std::min(text.size(), longest_message);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end; // not within a character
    return std::string(text.substr(0, end));
}

} // namespace

EventLog::EventLog(env::Env env, store::Store& store, std::string source)
    : env_(env), store_(store), source_(std::move(source)), allowance_(burst),
      allowed_at_(env.clock.now()), written_by_{{env.clock.now(), store.cursor().number}} {}

EventLog::~EventLog() = default;

void EventLog::record(const store::Object& regarding, Tone tone, std::string_view reason, std::string_view message) {
    record(regarding.key, regarding.uid, tone, reason, message);
}

void EventLog::record(const store::Key& regarding, Uid uid, Tone tone, std::string_view reason, std::string_view message) {
    // What belongs to no project has its events in `default`, where kubectl looks for them.
    store::Key key{model::Kind::event, regarding.project.empty() ? "default" : regarding.project, {}};
    std::string text = fmt::format("{}\n{}\n{}\n{}", source_, uid.text(), reason, message);
    std::string stem = regarding.name.substr(0, longest_stem);
    while (!stem.empty() && (stem.back() == '.' || stem.back() == '-')) stem.pop_back();
    key.name = stem + "." + Id{0, keyed_digest(0, text).low}.text().substr(16);

    if (auto at = repeated_.find(key); at != repeated_.end()) {
        ++at->second.more;
        return;
    }
    if (store_.get(key)) {
        repeated_[key].more = 1;
        return write_count(key);
    }
    if (!may_write(env_.clock.now())) {
        log(Level::debug, "cell", "event dropped: {} {}: {}", regarding.text(), reason, message);
        return;
    }
    create(key, regarding, uid, tone, reason, message);
}

bool EventLog::may_write(Instant now) {
    allowance_ = std::min(burst, allowance_ + std::chrono::duration<double>(now - allowed_at_).count());
    allowed_at_ = now;
    if (allowance_ < 1) return false;
    allowance_ -= 1;
    return true;
}

void EventLog::create(const store::Key& key, const store::Key& regarding, Uid uid, Tone tone, std::string_view reason,
                      std::string_view message) {
    // Room for several at a time, since making it looks at all Events of all sites.
    if (room_ == 0) prune(room_ = 64);
    --room_;
    std::string now = rfc3339(env_.clock.wall());
    Uid own(env_.chance.id());
    model::Event event;
    auto& meta = *event.mutable_metadata();
    meta.set_name(key.name);
    meta.set_namespace_(key.project);
    meta.set_uid(own.text());
    meta.set_generation(1);
    meta.set_creation_timestamp(now);
    meta.set_home(store_.cell().text());
    auto& spec = *event.mutable_spec();
    spec.mutable_regarding()->set_kind(std::string(model::name(regarding.kind)));
    spec.mutable_regarding()->set_namespace_(regarding.project);
    spec.mutable_regarding()->set_name(regarding.name);
    spec.mutable_regarding()->set_uid(uid.text());
    spec.set_type(tone == Tone::warning ? "Warning" : "Normal");
    spec.set_reason(std::string(reason));
    spec.set_message(cut(message));
    spec.set_source(source_);
    spec.set_count(1);
    spec.set_first_seen(now);
    spec.set_last_seen(now);
    store::Transaction transaction;
    transaction.put(key, own, store_.cell(), 1, event.SerializeAsString(), store::Transaction::absent());
    store_.commit(std::move(transaction), nullptr);
    repeated_[key].timer = env_.timers.after(repeat_gap, [this, key] { write_count(key); });
}

void EventLog::write_count(const store::Key& key) {
    Entry& entry = repeated_[key];
    store::ObjectPtr object = store_.get(key);
    if (!object || entry.more == 0) {
        repeated_.erase(key);
        return;
    }
    model::Event event;
    if (!event.ParseFromString(*object->wish.bytes)) event.Clear();
    event.mutable_metadata()->set_generation(object->generation + 1);
    event.mutable_spec()->set_count(event.spec().count() + entry.more);
    event.mutable_spec()->set_last_seen(rfc3339(env_.clock.wall()));
    entry.more = 0;
    store::Transaction transaction;
    transaction.put(key, object->uid, object->home, object->generation + 1, event.SerializeAsString(),
                    store::Transaction::unchanged(*object));
    store_.commit(std::move(transaction), nullptr);
    entry.timer = env_.timers.after(repeat_gap, [this, key] { write_count(key); });
}

void EventLog::prune(std::size_t room) {
    std::vector<store::ObjectPtr> own;
    for (auto& object : store_.list(model::Kind::event))
        if (!object->wish.from) own.push_back(std::move(object));
    std::ranges::sort(own, {}, [](const store::ObjectPtr& object) { return object->wish.number; });
    Instant now = env_.clock.now();
    if (written_by_.empty() || now - written_by_.back().first >= longest / 24)
        written_by_.emplace_back(now, store_.cursor().number);
    while (!written_by_.empty() && now - written_by_.front().first > longest) {
        old_below_ = written_by_.front().second;
        written_by_.pop_front();
    }
    std::size_t surplus = own.size() + room > kept ? own.size() + room - kept : 0;
    store::Transaction transaction;
    for (const auto& object : own) {
        bool old = object->wish.number <= old_below_;
        if (transaction.writes() >= surplus && !old) break; // in order of their last writing
        if (!transaction.fits(0)) break;
        transaction.erase(object->key, {.number = {}, .uid = object->uid});
    }
    if (!transaction.empty()) store_.commit(std::move(transaction), nullptr);
}

} // namespace skerry::cell
