#include "sim/world/light_child.h"

#include "model/kind.h"
#include "model/site.pb.h"
#include "store/object.h"

#include <algorithm>
#include <utility>

namespace skerry::sim {

LightChild::LightChild(Options options) : options_(std::move(options)) {}

LightChild::~LightChild() = default;

void LightChild::dial_within(Duration within) {
    dials_within_ = within;
    Duration wait = Duration(static_cast<std::int64_t>(options_.number * 0x9e3779b97f4a7c15ULL >> 11) %
                             std::max<std::int64_t>(1, within.count()));
    timer_ = options_.timers.after(wait, [this] { dial(); });
}

void LightChild::dial() {
    ++dials_;
    attempt_ = options_.dialer.dial(options_.parent, env::Channel::control, [this](Result<std::unique_ptr<env::Wire>> wire) {
        if (!wire) {
            failure_ = wire.error().message;
            return dial_within(dials_within_);
        }
        wire_ = std::move(*wire);
        if (!session_)
            session_ =
                std::make_unique<sync::Session>(sync::Session::Options{.side = sync::Side::child,
                                                                       .self = options_.id,
                                                                       .peer = wire_->peer().cell,
                                                                       .incarnation = IncarnationId(Id{0x1c, options_.number}),
                                                                       .boot_id = "boot",
                                                                       .name = options_.name,
                                                                       .version = "sim",
                                                                       .role = static_cast<std::uint32_t>(env::Peer::Role::site)},
                                                static_cast<sync::Host&>(*this));
        session_->connected(now());
        wire_->listen(*this);
        pump();
    });
}

void LightChild::arrived(std::string message) {
    session_->received(message, now());
    pump();
}

void LightChild::closed(std::string) { drop_wire(); }

void LightChild::drop_wire() {
    if (!wire_) return;
    session_->disconnected(now());
    // We may be inside a call of this very wire.
    options_.timers.post([wire = std::shared_ptr<env::Wire>(std::move(wire_))] {});
    wire_ = nullptr;
    armed_ = Instant::never();
    if (Duration wait = session_->come_back(); wait > Duration{0})
        timer_ = options_.timers.after(wait, [this] { dial(); });
    else
        dial_within(dials_within_);
}

void LightChild::pump() {
    if (pumping_ || !session_ || !wire_) return;
    pumping_ = true;
    session_->tick(now());
    while (auto one = session_->take_apply()) apply(std::move(*one));
    while (wire_ && wire_->unsent() < env::Wire::high_mark) {
        auto message = session_->take_output(now());
        if (!message) break;
        wire_->send(std::move(*message));
    }
    pumping_ = false;
    if (session_->over()) return drop_wire();
    Instant wake = session_->next_wake();
    if (wake >= armed_ || wake == Instant::never()) return;
    armed_ = wake;
    timer_ = options_.timers.after(wake - now(), [this] {
        armed_ = Instant::never();
        pump();
    });
}

void LightChild::apply(sync::Apply&& apply) {
    for (auto& item : apply.items) {
        if (!reported_ && item.key.kind == static_cast<std::uint32_t>(model::Kind::site) && item.key.name == options_.name) {
            // Its own Site has come: it reports of it, as every site does.
            reported_ = true;
            model::Site found;
            found.mutable_status()->set_version("sim");
            found.mutable_status()->set_cell(options_.id.text());
            sync::ItemKey key = item.key;
            key.part = static_cast<std::uint8_t>(store::Part::found);
            session_->put(sync::Lane::status, key, 0, std::make_shared<const std::string>(found.SerializeAsString()), 1);
        }
        items_[item.key] = std::move(item);
    }
    for (const auto& key : apply.removed) items_.erase(key);
    if (apply.close && apply.lane == sync::Lane::desired) cursor_ = apply.close;
    session_->applied(apply.ticket, now());
}

void LightChild::load(sync::Lane lane, sync::Inbound& inbound) {
    if (lane != sync::Lane::desired) return;
    inbound.load_cursor(cursor_);
    for (const auto& [key, item] : items_) inbound.load(item);
}

} // namespace skerry::sim
