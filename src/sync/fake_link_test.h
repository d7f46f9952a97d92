#pragma once

#include "env/seeded_chance.h"
#include "sync/session.h"

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::sync {

inline CellId cell_id(std::uint64_t n) { return CellId(Id{7, n}); }
inline IncarnationId incarnation_id(std::uint64_t cell, std::uint64_t n) { return IncarnationId(Id{cell, n}); }

inline ItemKey key_of(std::uint64_t n, std::uint32_t kind = 9, std::uint8_t part = 0, CellId home = cell_id(1)) {
    return {.kind = kind,
            .project = "retail",
            .name = "thing-" + std::to_string(n),
            .uid = Uid(Id{3, n}),
            .home = home,
            .part = part};
}

/// One side with a small store: versions of what it sends, what it holds of the other's, both with what survives a crash.
class Place final : public Host {
public:
    Place(Side side, std::uint64_t self, std::uint64_t peer) : side_(side), self_(self), peer_(peer) { start(); }

    struct Version {
        std::uint32_t generation = 0;
        Blob bytes;
        Number number = 0;
    };
    struct Got {
        std::uint32_t generation = 0;
        std::string bytes;
        bool operator==(const Got&) const = default;
    };

    // What it decides.
    void put(Lane lane, const ItemKey& key, std::string bytes) {
        auto& version = mine[at(lane)][key];
        version = {lane == Lane::desired ? version.generation + 1 : 0, std::make_shared<const std::string>(std::move(bytes)),
                   ++number_};
        session->put(lane, key, version.generation, version.bytes, version.number);
    }
    void drop(Lane lane, const ItemKey& key) {
        if (mine[at(lane)].erase(key) == 0) return;
        ++number_;
        if (lane == Lane::desired) tombstones.emplace_back(number_, key);
        session->drop(lane, key, number_);
    }

    Number head() const { return number_; }
    void forget_tombstones() {
        tombstones.clear();
        floor = number_;
    }

    /// Everything in memory is gone; the disk is what it is.
    void crash() {
        waiting.clear();
        start();
    }
    /// The disk is back at what it was at `save`.
    struct Disk {
        std::map<ItemKey, Version> mine;
        std::map<ItemKey, Got> held;
        std::optional<Cursor> cursor, open;
        std::vector<std::pair<std::uint64_t, Number>> incarnations;
        Number number;
    };
    Disk save() const { return {mine[0], held[0], cursor, open, incarnations, number_}; }
    void restore(const Disk& disk) {
        mine[0] = disk.mine;
        held[0] = disk.held;
        cursor = disk.cursor;
        open = disk.open;
        incarnations = disk.incarnations;
        number_ = disk.number;
        tombstones.clear();
        crash();
    }

    /// Makes the oldest waiting frame durable, as one transaction.
    bool land(Instant now) {
        if (waiting.empty()) return false;
        Apply apply = std::move(waiting.front());
        waiting.pop_front();
        ++landed;
        auto& mirror = held[at(apply.lane)];
        for (const Item& item : apply.items) {
            mirror[item.key] = {item.generation, *item.bytes};
            ++received[item.key];
        }
        for (const ItemKey& key : apply.removed) mirror.erase(key);
        if (apply.lane == Lane::desired && (apply.open || apply.close)) open = apply.open;
        if (apply.close && apply.lane == Lane::desired) cursor = apply.close;
        session->applied(apply.ticket, now);
        return true;
    }

    bool mirrors(const Place& other, Lane lane) const {
        std::map<ItemKey, Got> wanted;
        for (const auto& [key, version] : other.mine[at(lane)]) wanted[key] = {version.generation, *version.bytes};
        return wanted == held[at(lane)];
    }

    Outbound::Place place(const Cursor& shown) override {
        if (shown.number < floor) return Outbound::Place::forgotten;
        for (const auto& [n, head] : incarnations)
            if (incarnation_id(self_, n) == shown.incarnation)
                return shown.number <= (n == incarnations.back().first ? number_ : head) ? Outbound::Place::known
                                                                                         : Outbound::Place::ahead;
        return Outbound::Place::ahead;
    }
    Number durable() const override { return on_disk; }
    bool was_opened(const IncarnationId& incarnation) const override {
        return std::ranges::any_of(incarnations,
                                   [&](const auto& opening) { return incarnation_id(self_, opening.first) == incarnation; });
    }
    std::optional<std::vector<ItemKey>> erased_since(Lane lane, Number number) override {
        std::vector<ItemKey> keys;
        ++history_reads;
        if (lane == Lane::desired)
            for (const auto& [when, key] : tombstones)
                if (when > number && !mine[0].contains(key)) keys.push_back(key);
        return keys;
    }
    void load(Lane lane, Inbound& inbound) override {
        for (const auto& [key, got] : held[at(lane)])
            inbound.load({key, got.generation, std::make_shared<const std::string>(got.bytes)});
        if (lane == Lane::desired) inbound.load_cursor(cursor), inbound.load_open(open);
    }

    bool keeps_unknown() const override { return keep_unknown; }
    std::string seal(const Item& item) const override { return item.key.part == 0 ? std::string(16, 's') : std::string(); }
    std::optional<Item> give_back(const ItemKey& key) const override {
        auto got = held[0].find(key);
        if (got == held[0].end() || !gives_back) return {};
        return Item{key, got->second.generation, std::make_shared<const std::string>(got->second.bytes), std::string(16, 's')};
    }
    /// Takes in what came back: as the next generation, if `takes_back`.
    void take_back() {
        while (auto back = session->take_returned()) {
            for (Item& item : back->items) {
                returned.push_back(item);
                if (!takes_back) continue;
                auto& version = mine[at(back->lane)][item.key];
                version = {item.generation + 1, item.bytes, ++number_};
                session->put(back->lane, item.key, version.generation, version.bytes, version.number);
            }
            if (back->last) session->recall_done(back->lane);
        }
    }

    static std::size_t at(Lane lane) { return static_cast<std::size_t>(lane); }

    std::map<ItemKey, Version> mine[lanes];
    std::map<ItemKey, Got> held[lanes];
    Number on_disk = ~Number{0}; ///< of our history
    std::optional<Cursor> cursor, open;
    std::vector<std::pair<Number, ItemKey>> tombstones;
    std::vector<std::pair<std::uint64_t, Number>> incarnations; ///< and the head at which each was closed
    std::map<ItemKey, int> received;
    std::uint64_t landed = 0; ///< frames
    Number floor = 0;         ///< of tombstones
    std::uint64_t history_reads = 0;
    std::deque<Apply> waiting;
    std::unique_ptr<Session> session;
    bool keep_unknown = false;
    bool gives_back = true, takes_back = false;
    std::vector<Item> returned;

private:
    void start() {
        static std::uint64_t openings = 0;
        if (!incarnations.empty()) incarnations.back().second = number_;
        incarnations.emplace_back(++openings, 0);
        number_ += Number{1} << 32; // rule S2: a jump
        session = std::make_unique<Session>(Session::Options{.side = side_,
                                                             .self = cell_id(self_),
                                                             .peer = cell_id(peer_),
                                                             .incarnation = incarnation_id(self_, openings),
                                                             .name = "test",
                                                             .version = "1",
                                                             .beat = 1s,
                                                             .status_gap = 200ms},
                                            *this);
        for (std::size_t lane = 0; lane < lanes; ++lane)
            for (const auto& [key, version] : mine[lane])
                session->put(static_cast<Lane>(lane), key, version.generation, version.bytes, version.number);
    }

    Side side_;
    std::uint64_t self_, peer_;
    Number number_ = 0;
};

inline bool any(std::initializer_list<bool> done) { return std::ranges::find(done, true) != done.end(); }

inline constexpr Lane desired = Lane::desired, status = Lane::status;

/// An ordered wire between two places that can be cut anywhere. Time passes only in `pass`.
class FakeLink {
public:
    FakeLink() : parent(Side::parent, 1, 2), child(Side::child, 2, 1) {}

    void connect() {
        cut();
        up = true;
        parent.session->connected(now);
        child.session->connected(now);
    }
    void cut() {
        up = false;
        down_wire.clear();
        up_wire.clear();
        parent.session->disconnected(now);
        child.session->disconnected(now);
    }
    void crash_parent() {
        bool was = up;
        cut();
        parent.crash();
        if (was) connect();
    }
    void crash_child() {
        bool was = up;
        cut();
        child.crash();
        if (was) connect();
    }

    /// One step of one side; false if that side has nothing to do.
    bool output(Place& from) {
        while (auto apply = from.session->take_apply()) from.waiting.push_back(std::move(*apply));
        from.take_back();
        if (!up) return false;
        auto message = from.session->take_output(now);
        if (!message) {
            if (from.session->over()) {
                ended = *from.session->over();
                cut();
                return true;
            }
            return false;
        }
        auto& wire = &from == &parent ? down_wire : up_wire;
        ++messages;
        bytes += message->size();
        wire.push_back(std::move(*message));
        return true;
    }
    bool deliver(Place& to) {
        auto& wire = &to == &parent ? up_wire : down_wire;
        if (!up || wire.empty()) return false;
        std::string message = std::move(wire.front());
        wire.pop_front();
        to.session->received(message, now);
        return true;
    }
    bool land(Place& at) {
        while (auto apply = at.session->take_apply()) at.waiting.push_back(std::move(*apply));
        return at.land(now);
    }
    /// Everything that can happen at this moment; bounded, since a hot loop is a bug.
    bool settle(int most = 200'000) {
        for (int i = 0; i < most; ++i) {
            if (!any({output(parent), output(child), deliver(parent), deliver(child), land(parent), land(child)})) return true;
        }
        return false;
    }
    /// Half a round trip: all that the two can say now is said, and arrives.
    void travel() {
        while (any({land(parent), land(child), output(parent), output(child)})) {
        }
        for (auto [wire, to] : {std::pair(&down_wire, &parent), std::pair(&up_wire, &child)})
            for (std::size_t n = wire->size(); n > 0; --n) deliver(to == &parent ? child : parent);
        while (any({land(parent), land(child)})) {
        }
    }
    /// In steps, as a host's timers would.
    bool pass(Duration duration, Duration step = 100ms) {
        for (Instant end = now + duration; now < end;) {
            now = now + step;
            if (up) {
                parent.session->tick(now);
                child.session->tick(now);
            }
            if (!settle()) return false;
        }
        return true;
    }
    bool agree() const {
        for (Lane lane : {Lane::desired, Lane::status})
            if (!parent.mirrors(child, lane) || !child.mirrors(parent, lane)) return false;
        return parent.session->view().agreement && child.session->view().agreement;
    }

    Place parent, child;
    Instant now{1s};
    bool up = false;
    std::deque<std::string> down_wire, up_wire;
    std::uint64_t messages = 0, bytes = 0;
    std::string ended;
};

} // namespace skerry::sync
