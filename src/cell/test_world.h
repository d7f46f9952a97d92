#pragma once

#include "base/check.h"
#include "cell/cell.h"
#include "env/seeded_chance.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "store/memory/memory_backend.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace skerry::cell {

class World;

/// One machine of a test: its Env, its disk, and the cell on it while it runs.
class Machine final : public env::Clock, public env::Workers, public env::Dialer, public env::Timers {
public:
    Machine(World& world, env::Peer self, Cell::Options options, std::uint64_t seed)
        : chance(seed), world_(world), self_(std::move(self)), options_(std::move(options)) {
        options_.self = self_;
    }

    void boot(std::unique_ptr<Slicer> down, std::unique_ptr<Slicer> up, std::function<void(Cell&)> furnish = {});
    /// The process dies with all that is not on its disk.
    void crash();

    Instant now() const override;
    WallTime wall() const override { return {1'800'000'000 + clock_error + now().since_boot / 1s, 0}; }
    env::ClockTrust trust() const override { return clock_trust; }
    std::string boot_id() const override { return self_.name; }
    void run(std::string, std::function<void()> job, std::function<void()> then) override {
        job();
        post(std::move(then));
    }
    std::unique_ptr<env::Timer> dial(const std::string&, env::Channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)>) override;
    std::unique_ptr<env::Timer> after(Duration, std::function<void()>) override;
    void post(std::function<void()>) override;

    env::Env env() { return {*this, *this, *this, chance, *this}; }
    env::Peer peer() const { return {self_.role, self_.name, store->cell()}; }

    env::SeededChance chance;
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::Store> store;
    std::unique_ptr<Cell> cell;
    std::int64_t clock_error = 0; ///< seconds
    env::ClockTrust clock_trust;

private:
    World& world_;
    env::Peer self_;
    Cell::Options options_;
    std::shared_ptr<int> life_ = std::make_shared<int>(0);
};

/// Virtual time, and wires between machines that carry everything at once while the network is up.
class World {
public:
    void pass(Duration duration) {
        Instant end = now + duration;
        settle();
        while (!timers.empty() && timers.begin()->first <= end) {
            auto [when, call] = *timers.begin();
            timers.erase(timers.begin());
            now = std::max(now, when);
            if (*call) {
                auto ring = std::move(*call);
                *call = nullptr;
                ring();
            }
            settle();
        }
        now = end;
    }
    void settle() {
        for (int n = 0; !posted.empty(); ++n) {
            CHECK(n < 1'000'000, "the cells never come to rest");
            auto call = std::move(posted.front());
            posted.pop_front();
            call();
        }
    }
    void cut();
    void heal() { is_cut = false; }

    Instant now{1s};
    std::multimap<Instant, std::shared_ptr<std::function<void()>>> timers;
    std::deque<std::function<void()>> posted;
    std::map<std::string, Machine*> at; ///< by address
    bool is_cut = false;
    std::vector<std::weak_ptr<struct Pipe>> pipes;
    std::uint64_t messages = 0, bytes = 0;
};

/// Both ends of one wire.
struct Pipe {
    World& world;
    env::Wire::Listener* listener[2] = {};
    env::Wire::Traffic traffic[2] = {};
    std::deque<std::string> early[2];
    bool closed = false;
    void close(int side, const std::string& why) {
        if (closed) return;
        closed = true;
        for (int each : {0, 1})
            if (each != side && listener[each]) std::exchange(listener[each], nullptr)->closed(why);
    }
};

class FakeWire final : public env::Wire {
public:
    FakeWire(std::shared_ptr<Pipe> pipe, int side, env::Peer other)
        : pipe_(std::move(pipe)), side_(side), other_(std::move(other)) {}
    ~FakeWire() override {
        pipe_->listener[side_] = nullptr;
        pipe_->world.posted.push_back([pipe = pipe_, side = side_] { pipe->close(side, "the other side closed it"); });
    }
    const env::Peer& peer() const override { return other_; }
    env::Channel channel() const override { return env::Channel::control; }
    void listen(Listener& listener) override {
        pipe_->listener[side_] = &listener;
        for (auto& message : std::exchange(pipe_->early[side_], {})) deliver(side_, std::move(message));
    }
    void send(std::string message) override {
        ++pipe_->world.messages;
        pipe_->world.bytes += message.size();
        pipe_->traffic[side_].sent += message.size();
        pipe_->traffic[1 - side_].received += message.size();
        deliver(1 - side_, std::move(message));
    }
    std::size_t unsent() const override { return 0; }
    Traffic traffic() const override { return pipe_->traffic[side_]; }

private:
    void deliver(int to, std::string message) {
        pipe_->world.posted.push_back([pipe = pipe_, to, message = std::move(message)]() mutable {
            if (pipe->closed) return;
            if (pipe->listener[to])
                pipe->listener[to]->arrived(std::move(message));
            else
                pipe->early[to].push_back(std::move(message));
        });
    }

    std::shared_ptr<Pipe> pipe_;
    int side_;
    env::Peer other_;
};

inline void World::cut() {
    is_cut = true;
    for (auto& weak : pipes)
        if (auto pipe = weak.lock()) pipe->close(2, "the network is down");
    pipes.clear();
    settle();
}

inline Instant Machine::now() const { return world_.now; }

inline void Machine::post(std::function<void()> call) {
    world_.posted.push_back([life = std::weak_ptr(life_), call = std::move(call)] {
        if (!life.expired()) call();
    });
}

inline std::unique_ptr<env::Timer> Machine::after(Duration duration, std::function<void()> call) {
    struct Token final : env::Timer {
        explicit Token(std::shared_ptr<std::function<void()>> call) : call(std::move(call)) {}
        ~Token() override { *call = nullptr; }
        std::shared_ptr<std::function<void()>> call;
    };
    auto shared = std::make_shared<std::function<void()>>([life = std::weak_ptr(life_), call = std::move(call)] {
        if (!life.expired()) call();
    });
    world_.timers.emplace(world_.now + std::max(duration, Duration{0}), shared);
    return std::make_unique<Token>(shared);
}

inline std::unique_ptr<env::Timer> Machine::dial(const std::string& address, env::Channel,
                                                 std::function<void(Result<std::unique_ptr<env::Wire>>)> then) {
    return after(1ms, [this, address, then = std::move(then)] {
        auto other = world_.at.find(address);
        if (world_.is_cut || other == world_.at.end() || !other->second->cell)
            return then(fail(Code::unavailable, "nobody answers"));
        auto pipe = std::make_shared<Pipe>(world_);
        world_.pipes.push_back(pipe);
        other->second->cell->accept(std::make_unique<FakeWire>(pipe, 1, peer()));
        then(std::make_unique<FakeWire>(pipe, 0, other->second->peer()));
    });
}

inline void Machine::boot(std::unique_ptr<Slicer> down, std::unique_ptr<Slicer> up, std::function<void(Cell&)> furnish) {
    auto opened = store::Store::open(env(), std::make_unique<store::MemoryBackend>(disk), {.failed = [](const Error&) {}});
    CHECK(opened);
    store = std::move(*opened);
    cell = Cell::make(env(), *store, options_, std::move(down), std::move(up));
    if (furnish) furnish(*cell);
    cell->start();
    world_.settle();
}

inline void Machine::crash() {
    life_ = std::make_shared<int>(0);
    cell.reset();
    store.reset();
    world_.settle();
}

} // namespace skerry::cell
