#include "cell/recovery/recovery.h"

#include "base/bytes.h"
#include "base/log.h"
#include "model/allocation.pb.h"
#include "sync/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::cell {

namespace {

constexpr std::string_view recovery_space = "recovery";
/// Time for peers to call, which dial with a back-off of up to half a minute.
constexpr Duration least_wait = 30s;
/// What is still on its way back is waited for, so much longer at most.
constexpr Duration most_extra = 2min;

constexpr std::string_view late_prefix = "late/";
std::string late(std::string_view tag) { return std::string(late_prefix) + std::string(tag); }

} // namespace

bool is_recovering(const store::Store& store) { return store.note(recovery_space, "active").has_value(); }

Recovery::Recovery(env::Env env, store::Store& store, Epochs& epochs, Events& events, std::string own_site, Hooks hooks)
    : env_(env), store_(store), epochs_(epochs), events_(events), own_site_(std::move(own_site)), hooks_(std::move(hooks)),
      opened_(store.cursor().number), active_(is_recovering(store)) {
    if (auto bytes = store.note(recovery_space, "since"); bytes && bytes->size() == 8) since_ = read_big_endian(*bytes);
    for (const auto& [key, bytes] : store.notes(recovery_space))
        if (key.starts_with(late_prefix)) late_.insert(key.substr(late_prefix.size()));
}

void Recovery::start() {
    if (!active_) return;
    began_ = env_.clock.now();
    hooks_.grant_nothing("this cell recovers from a loss of its history (rule H4)");
    arm();
}

void Recovery::behind(const std::string& tag) {
    if (active_ || late_.contains(tag)) return;
    active_ = true;
    planning_ = false;
    since_ = opened_;
    store::Transaction transaction;
    transaction.note(recovery_space, "since", big_endian(since_));
    transaction.note(recovery_space, "active", "1");
    store_.commit(std::move(transaction), nullptr);
    start();
    Duration wait = std::max(least_wait, hooks_.longest_lease() + sync::lease_margin(hooks_.longest_lease()));
    tell(tag, Tone::warning, "HistoryBehind",
         fmt::format(
             "this cell's store went back to an older state, as {} shows. What neighbours hold of it comes back by itself; "
             "for {} it places nothing, grants nothing and deletes nothing (rules H3, H4)",
             tag, text(std::chrono::ceil<std::chrono::seconds>(wait))));
}

void Recovery::arm() {
    Duration longest = hooks_.longest_lease();
    Duration wait = std::max(least_wait, longest == Duration{0} ? Duration{0} : longest + sync::lease_margin(longest));
    Instant until = began_ + wait, now = env_.clock.now();
    if (now < until) {
        timer_ = env_.timers.after(until - now, [this] { arm(); });
    } else if (hooks_.busy() && now < until + most_extra) {
        timer_ = env_.timers.after(1s, [this] { arm(); });
    } else {
        finish();
    }
}

/// Rule H4. Whoever was away all the while is noted: what it shows later is this loss, not another one.
void Recovery::finish() {
    std::uint32_t term = 0;
    for (const auto& object : store_.list(model::Kind::allocation)) {
        const auto& allocation = store::as<model::Allocation>(*object);
        term = std::max({term, allocation.spec().epoch().term(), allocation.status().epoch().term()});
    }
    store::Transaction transaction;
    epochs_.raise(term, transaction);
    transaction.erase_note(recovery_space, "active");
    std::vector<std::string> tags = {"parent"};
    for (const auto& object : store_.list(model::Kind::site))
        if (object->key.name != own_site_) tags.push_back("site/" + object->key.name);
    for (const auto& object : store_.list(model::Kind::node))
        if (object->home == store_.cell()) tags.push_back("node/" + object->key.name);
    for (const std::string& tag : tags)
        if (!hooks_.heard(tag) && transaction.bytes() < store::Transaction::max_bytes / 2)
            transaction.note(recovery_space, late(tag), "1"), late_.insert(tag);
    store_.commit(std::move(transaction), [this, weak = std::weak_ptr(alive_)](Result<store::Number> done) {
        if (weak.expired()) return;
        if (!done) { // a full disk; it goes on recovering
            timer_ = env_.timers.after(5s, [this] { finish(); });
            return;
        }
        active_ = false;
        planning_ = true;
        waiting_ = planners_;
        log(Level::warning, "cell", "recovered: from here on it decides in term {}", epochs_.term());
        hooks_.over();
        release();
    });
}

void Recovery::planned(std::string_view loop) {
    if (!planning_) return;
    if (auto at = waiting_.find(loop); at != waiting_.end()) waiting_.erase(at);
    release();
}

void Recovery::release() {
    if (!planning_ || !waiting_.empty()) return;
    planning_ = false;
    hooks_.grant_nothing({});
}

void Recovery::settled(const std::string& tag) {
    auto at = late_.find(tag);
    if (at == late_.end()) return;
    late_.erase(at);
    store::Transaction transaction;
    transaction.erase_note(recovery_space, late(tag));
    store_.commit(std::move(transaction), nullptr);
}

void Recovery::returned(const std::string& tag, std::size_t objects) {
    tell(tag, Tone::normal, "TakenBack",
         fmt::format("{} object{} that this cell had decided and forgotten came back from {}", objects, objects == 1 ? "" : "s",
                     tag));
}

void Recovery::tell(const std::string& tag, Tone tone, std::string_view reason, const std::string& message) {
    log(tone == Tone::warning ? Level::warning : Level::info, "cell", "{}: {}", tag, message);
    bool is_node = tag.starts_with("node/");
    std::string name = tag.find('/') == std::string::npos ? own_site_ : tag.substr(tag.find('/') + 1);
    store::Key key{is_node ? model::Kind::node : model::Kind::site, "", name};
    auto object = store_.get(key);
    events_.record(key, object ? object->uid : Uid{}, tone, reason, message);
}

} // namespace skerry::cell
