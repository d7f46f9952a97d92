// A peer that has the right certificate and sends what it likes: sync::Session must end the session with a reason, hold bounded
// memory, ask its cell only for what keeps the rules, and send nothing that another Skerry would refuse.
#include "base/check.h"
#include "seeds.h"
#include "sync/fake_link_test.h"

#include <deque>
#include <map>

using namespace skerry;
using namespace skerry::sync;

namespace {

constexpr std::uint64_t most_kept = 2'000;

/// A cell whose disk is a map. Bounded, as a store's admission is.
class Disk final : public Host {
public:
    Outbound::Place place(const Cursor& shown) override {
        if (shown.incarnation != incarnation_id(1, 1)) return Outbound::Place::ahead;
        return shown.number < 100 ? Outbound::Place::forgotten : Outbound::Place::known;
    }
    std::optional<std::vector<ItemKey>> erased_since(Lane, Number number) override {
        if (number < 110) return std::nullopt;
        return std::vector<ItemKey>{key_of(90), key_of(91)};
    }
    void load(Lane lane, Inbound& inbound) override {
        for (auto& [key, item] : held[Place::at(lane)]) inbound.load(item);
        if (lane == Lane::desired) inbound.load_cursor(cursor);
    }

    bool keeps_unknown() const override { return keep_unknown; }
    std::optional<Item> give_back(const ItemKey& key) const override {
        auto item = held[0].find(key);
        return item == held[0].end() ? std::nullopt : std::optional(item->second);
    }

    std::map<ItemKey, Item> held[lanes];
    std::optional<Cursor> cursor;
    bool keep_unknown = false;
};

class World {
public:
    World(Side side, bool keep_unknown)
        : session_({.side = side,
                    .self = cell_id(1),
                    .peer = cell_id(2),
                    .incarnation = incarnation_id(1, 1),
                    .boot_id = "boot",
                    .name = "fuzz",
                    .version = "1",
                    .beat = 1s},
                   disk_) {
        disk_.keep_unknown = keep_unknown;
        for (std::uint64_t n = 0; n < 20; ++n)
            session_.put(n % 2 == 0 ? Lane::desired : Lane::status, key_of(n), 1, blob(std::string(n * 10, 'x')), 120 + n);
    }

    void play(fuzz::Input input) {
        session_.connected(now_);
        turn();
        while (!input.empty()) {
            switch (input.byte() % 8) {
            case 1:
                now_ = now_ + std::chrono::milliseconds(input.byte() * 40);
                session_.tick(now_);
                break;
            case 2: {
                std::uint64_t n = input.byte();
                session_.put(n % 2 == 0 ? Lane::desired : Lane::status, key_of(n % 32), static_cast<std::uint32_t>(n),
                             blob(std::string(n * n, 'y')), ++number_);
                break;
            }
            case 3:
                session_.drop(input.byte() % 2 == 0 ? Lane::desired : Lane::status, key_of(input.byte() % 32), ++number_);
                break;
            case 4:
                session_.disconnected(now_);
                waiting_.clear();
                session_.connected(now_);
                break;
            case 5:
                reject_next_ = true;
                break;
            case 6:
                session_.forget(Lane::desired, key_of(input.byte()));
                break;
            default:
                session_.received(input.text(), now_);
            }
            turn();
        }
    }

private:
    static Blob blob(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

    void turn() {
        for (int i = 0; i < 10'000; ++i) {
            bool busy = false;
            while (auto apply = session_.take_apply()) waiting_.push_back(std::move(*apply));
            while (auto back = session_.take_returned()) {
                CHECK(back->items.size() <= max_recalled, "more came back than was asked for");
                if (back->last) session_.recall_done(back->lane);
            }
            // Not acknowledged frames are bounded by the window, whatever the peer sends.
            CHECK(waiting_.size() <= window * lanes + 1, "the session hands out more than its window");
            if (!waiting_.empty()) {
                land(std::move(waiting_.front()));
                waiting_.pop_front();
                busy = true;
            }
            if (auto message = session_.take_output(now_)) {
                CHECK(message->size() <= max_message);
                CHECK(decode(*message).has_value(), "the session sends what another would refuse");
                busy = true;
            }
            if (!busy) {
                if (session_.over()) {
                    session_.disconnected(now_);
                    session_.connected(now_);
                    now_ = now_ + 1s;
                    continue;
                }
                (void)session_.view();
                (void)session_.next_wake();
                return;
            }
        }
        check_failed(__FILE__, __LINE__, "the session comes to rest");
    }

    void land(Apply apply) {
        CHECK(apply.items.size() + apply.removed.size() <= max_frame_items);
        std::size_t bytes = 0;
        for (auto& item : apply.items) bytes += item.bytes->size();
        CHECK(bytes <= max_frame_bytes);
        auto& held = disk_.held[Place::at(apply.lane)];
        if (std::exchange(reject_next_, false) || held.size() + apply.items.size() > most_kept) {
            session_.rejected(apply.ticket, "the disk is full");
            waiting_.clear();
            return;
        }
        for (auto& item : apply.items) held[item.key] = item;
        for (auto& key : apply.removed) CHECK(held.erase(key) == 1, "removes what was not held");
        if (apply.close && apply.lane == Lane::desired) disk_.cursor = apply.close;
        session_.applied(apply.ticket, now_);
    }

    Disk disk_;
    Session session_;
    Instant now_{1s};
    Number number_ = 1'000;
    std::deque<Apply> waiting_;
    bool reject_next_ = false;
};

/// What an honest peer says to side `to`, whose own place in the input is the first byte.
std::string transcript(Side to, std::uint64_t items, std::size_t size) {
    // In FakeLink the parent is cell 1 and the child cell 2; here the fuzzed side is always cell 1.
    Place self(to, 1, 2), peer(to == Side::parent ? Side::child : Side::parent, 2, 1);
    for (std::uint64_t n = 0; n < items; ++n) {
        peer.put(Lane::desired, key_of(100 + n, 9, 0, cell_id(2)), std::string(size, static_cast<char>('a' + n % 26)));
        peer.put(Lane::status, key_of(500 + n, 10, 1, cell_id(2)), "up");
        self.put(Lane::desired, key_of(n), "wish");
    }
    std::string script(1, static_cast<char>(to == Side::parent ? 1 : 0));
    Instant now{1s};
    self.session->connected(now);
    peer.session->connected(now);
    for (int i = 0; i < 400; ++i) {
        if (i == 200)
            peer.put(Lane::desired, key_of(100, 9, 0, cell_id(2)), "edited"),
                peer.drop(Lane::desired, key_of(101, 9, 0, cell_id(2)));
        if (i == 250) { // the peer lost something: a descent
            peer.held[0].erase(key_of(0));
            peer.session->forget(Lane::desired, key_of(0));
        }
        if (i % 50 == 49) {
            now = now + 2s;
            self.session->tick(now), peer.session->tick(now);
            script += std::string{1, 50};
        }
        for (Place* place : {&self, &peer})
            while (auto apply = place->session->take_apply()) place->waiting.push_back(std::move(*apply));
        self.take_back(), peer.take_back();
        self.land(now), peer.land(now);
        if (auto out = self.session->take_output(now)) peer.session->received(*out, now);
        if (auto out = peer.session->take_output(now)) {
            self.session->received(*out, now);
            if (out->size() < 65536) script += '\0' + fuzz::written(*out);
        }
    }
    return script;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    fuzz::start_from({transcript(Side::parent, 5, 10), transcript(Side::child, 5, 10), transcript(Side::child, 40, 100),
                      transcript(Side::parent, 2, 8'000), transcript(Side::child, 0, 0), transcript(Side::parent, 200, 1)},
                     count, arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    fuzz::Input input(bytes, size);
    unsigned first = input.byte();
    // The first bytes choose the side; the rest is what the peer and time do. The bytes alone are a frame too.
    (void)decode(input.rest());
    World(first % 2 == 1 ? Side::parent : Side::child, first / 2 % 2 == 1).play(input);
    return 0;
}
