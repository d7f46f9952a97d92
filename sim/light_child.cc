#include "sim/light_child.h"

#include "model/kind.h"
#include "model/site.pb.h"
#include "store/object.h"

#include <algorithm>
#include <utility>

namespace skerry::sim {

LightChild::LightChild(Agenda& agenda, Network& network, Cell cell, std::string name, CellId id)
    : agenda_(agenda), network_(network), cell_(cell), name_(std::move(name)), id_(id) {}

LightChild::~LightChild() = default;

Network::Host LightChild::host() {
    return {.powered = [] { return true; },
            .peer =
                [this] {
                    return env::Peer{env::Peer::Role::site, name_, id_};
                },
            .attends = [] { return true; },
            .accept = [](std::unique_ptr<env::Wire>) {}};
}

void LightChild::dial_within(Duration within) {
    dials_within_ = within;
    Duration wait =
        Duration(static_cast<std::int64_t>(cell_ * 0x9e3779b97f4a7c15ULL >> 11) % std::max<std::int64_t>(1, within.count()));
    timer_ = agenda_.cancellable(agenda_.now() + wait, What::timer, cell_, Agenda::Bound::free, [this] { dial(); });
}

void LightChild::dial() {
    ++dials_;
    attempt_ = network_.dial(cell_, env::Channel::control, [this](Result<std::unique_ptr<env::Wire>> wire) {
        if (!wire) return dial_within(dials_within_);
        wire_ = std::move(*wire);
        if (!session_)
            session_ =
                std::make_unique<sync::Session>(sync::Session::Options{.side = sync::Side::child,
                                                                       .self = id_,
                                                                       .peer = wire_->peer().cell,
                                                                       .incarnation = IncarnationId(Id{0x1c, cell_}),
                                                                       .boot_id = "boot",
                                                                       .name = name_,
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
    agenda_.at(agenda_.now(), What::post, cell_, Agenda::Bound::free, [wire = std::shared_ptr<env::Wire>(std::move(wire_))] {});
    wire_ = nullptr;
    armed_ = Instant::never();
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
    timer_ = agenda_.cancellable(wake.since_boot, What::timer, cell_, Agenda::Bound::free, [this] {
        armed_ = Instant::never();
        pump();
    });
}

void LightChild::apply(sync::Apply&& apply) {
    for (auto& item : apply.items) {
        if (!reported_ && item.key.kind == static_cast<std::uint32_t>(model::Kind::site) && item.key.name == name_) {
            // Its own Site has come: it reports of it, as every site does.
            reported_ = true;
            model::Site found;
            found.mutable_status()->set_version("sim");
            found.mutable_status()->set_cell(id_.text());
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
