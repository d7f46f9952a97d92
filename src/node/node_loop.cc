#include "node/node_loop.h"

#include "base/check.h"
#include "model/instance.pb.h"

#include <algorithm>
#include <utility>

namespace skerry::node {

using model::Kind;

drivers::InstanceName instance_name(Uid uid) { return uid.text(); }

void add_loops(cell::Cell& cell, Options options) { cell.add(std::make_unique<NodeLoop>(cell, std::move(options))); }

NodeLoop::NodeLoop(cell::Cell& cell, Options options) : cell_(cell), options_(std::move(options)) {
    CHECK(options_.images && options_.prober, "a node needs images and a prober");
    if (!options_.post_from_any_thread)
        options_.post_from_any_thread = [&timers = cell_.env().timers](std::function<void()> call) {
            timers.post(std::move(call));
        };
    for (const auto& [runtime, driver] : options_.drivers) {
        runtimes_[runtime].driver = driver;
        driver->watch([post = options_.post_from_any_thread, this, weak = std::weak_ptr(alive_)](drivers::InstanceName name) {
            post([this, weak, name = std::move(name)] {
                auto uid = Id::parse(name);
                if (weak.expired() || !uid) return;
                auto run = runs_.find(Uid(*uid));
                if (run == runs_.end()) return;
                run->second.next_look = {};
                wake();
            });
        });
    }
    if (!options_.network) network_adopted_ = true;
}

NodeLoop::~NodeLoop() {
    for (const auto& [runtime, driver] : options_.drivers) driver->watch(nullptr);
}

bool NodeLoop::wakes(const store::Change& change) const {
    if (change.key.kind == Kind::instance) return change.changed(store::Part::wish);
    if (change.key.kind == Kind::node) return change.key.name == options_.name && change.changed(store::Part::wish);
    bool refers = change.key.kind == Kind::revision || change.key.kind == Kind::secret || change.key.kind == Kind::config ||
                  change.key.kind == Kind::site;
    return refers && change.changed(store::Part::wish);
}

void NodeLoop::turn() {
    timer_.reset();
    next_wake_ = Instant::never();
    auto& store = cell_.store();

    WantedByUid wanted;
    for (auto& object : store.list(Kind::instance))
        if (store::as<model::Instance>(*object).spec().node() == options_.name)
            wanted.emplace(object->uid, look_up(store, object));
    if (!ensure_adopted(wanted)) {
        report_node();
        return;
    }
    for (const auto& [uid, one] : wanted) {
        Run& run = runs_[uid];
        run.uid = uid;
        run.key = one.object->key;
    }
    revive();
    fence(wanted);

    std::set<std::string> images;
    for (const auto& [uid, one] : wanted)
        if (one.plan.running && !one.digest().empty()) images.insert(one.digest());
    for (const auto& [uid, run] : runs_)
        if ((run.presence == plan::Presence::running || run.busy) && !run.note.digest.empty()) images.insert(run.note.digest);
    if (images != kept_images_ || !images_told_) {
        options_.images->keep(images);
        // What may be dropped from now on is asked for again before a start.
        for (auto& [uid, run] : runs_)
            if (!images.contains(run.image_ready)) run.image_ready.clear();
    }
    kept_images_ = std::move(images);
    images_told_ = true;

    // In order of names, so that of two that want one port the same one waits each time; by uid, since steps may drop entries.
    std::vector<std::pair<store::Key, Uid>> order;
    for (const auto& [uid, run] : runs_) order.emplace_back(run.key, uid);
    std::sort(order.begin(), order.end());
    for (const auto& [key, uid] : order) {
        auto at = wanted.find(uid);
        step(runs_.at(uid), at == wanted.end() ? nullptr : &at->second);
    }
    for (const auto& [uid, one] : wanted) report_instance(runs_.at(uid), one);
    report_node();
}

drivers::Driver* NodeLoop::driver(const std::string& runtime) const {
    auto found = runtimes_.find(runtime);
    return found != runtimes_.end() && found->second.adopted ? found->second.driver : nullptr;
}

void NodeLoop::on_lane(Run& run, std::string doing, std::function<void()> job, std::function<void(Run&)> then) {
    on_lane_of(instance_name(run.uid), run, std::move(doing), std::move(job), std::move(then));
}

void NodeLoop::on_network(Run& run, std::string doing, std::function<void()> job, std::function<void(Run&)> then) {
    on_lane_of("network", run, std::move(doing), std::move(job), std::move(then));
}

void NodeLoop::on_lane_of(std::string lane, Run& run, std::string doing, std::function<void()> job,
                          std::function<void(Run&)> then) {
    CHECK(!run.busy, "one step at a time");
    run.busy = true;
    run.doing = std::move(doing);
    cell_.env().workers.run(std::move(lane), std::move(job),
                            [this, weak = std::weak_ptr(alive_), uid = run.uid, then = std::move(then)] {
                                if (weak.expired()) return;
                                auto found = runs_.find(uid);
                                CHECK(found != runs_.end(), "a busy instance is never forgotten");
                                found->second.busy = false;
                                found->second.doing.clear();
                                then(found->second);
                                wake();
                            });
}

bool NodeLoop::is_crowded(std::string_view doing, std::size_t most) const {
    auto does = [&](const auto& one) { return one.second.busy && one.second.doing == doing; };
    return static_cast<std::size_t>(std::ranges::count_if(runs_, does)) >= most;
}

void NodeLoop::event(const Run& run, cell::Tone tone, std::string_view reason, std::string_view message) {
    cell_.events().record(run.key, run.uid, tone, reason, message);
}

void NodeLoop::wake_at(Instant when) {
    if (when >= next_wake_) return;
    next_wake_ = when;
    Duration delay = std::max(when - now(), Duration(0));
    timer_ = cell_.env().timers.after(delay, [this] {
        next_wake_ = Instant::never();
        wake();
    });
}

} // namespace skerry::node
