#include "cell/cell.h"

#include "base/check.h"
#include "base/log.h"
#include "cell/event_log.h"
#include "cell/gate/gate.h"
#include "cell/leases/own_lease.h"
#include "cell/links/children.h"
#include "cell/links/parent.h"
#include "cell/links/seats.h"
#include "cell/turns.h"
#include "model/meta.pb.h"
#include "model/project.pb.h"
#include "model/site.pb.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace skerry::cell {

namespace {

std::string_view word(env::Peer::Role role) {
    return role == env::Peer::Role::node ? "node" : role == env::Peer::Role::site ? "site" : "core";
}

class LiveCell final : public Cell, private Peers, private Leases, private Couriers {
public:
    LiveCell(env::Env env, store::Store& store, Options options, std::unique_ptr<Slicer> down, std::unique_ptr<Slicer> up)
        : env_(env), store_(store), options_(std::move(options)), down_(std::move(down)), up_(std::move(up)), turns_(env_.timers),
          events_(env_, store_, fmt::format("{} {}", word(options_.self.role), options_.self.name)),
          own_lease_(
              env_.clock, !options_.parents.empty(),
              [this] {
                  if (parent_) parent_->want_lease(own_lease_.wanted());
              },
              [this](const std::string& loop) { turns_.wake(loop); }),
          epochs_(store_),
          meters_(env_, store_, options_.self.role == env::Peer::Role::site ? options_.self.name : "", !options_.parents.empty()),
          seals_(store_, env_.chance),
          recovery_(env_, store_, epochs_, events_, options_.self.name,
                    {.longest_lease = [this] { return children_ ? children_->longest_lease() : Duration{0}; },
                     .busy = [this] { return (children_ && children_->is_recalling()) || (parent_ && parent_->is_recalling()); },
                     .heard = [this](const std::string& tag) { return has_heard(tag); },
                     .grant_nothing = [this](std::string why) { grant_nothing(std::move(why)); },
                     .over = [this] { turns_.wake_all(); }}),
          gate_(
              env_, store_, options_.self, [this](CellId cell) { return name_of(cell); },
              [this](CellId cell) { return exists(cell); }) {
        options_.self.cell = store_.cell();
        auto get = [this](const store::Key& key) { return store_.get(key); };
        if (down_) {
            down_closure_.emplace(*down_, Closure::Way::down, get);
            children_ = std::make_unique<Children>(context(*down_, *down_closure_), own_lease_, Slots::Limits{},
                                                   [this] { turns_.wake_all(); });
        }
        if (up_) {
            up_closure_.emplace(*up_, Closure::Way::up, get);
            parent_ = std::make_unique<Parent>(context(*up_, *up_closure_),
                                               Parent::Dialing{options_.parents, options_.redial_first, options_.redial_most},
                                               own_lease_, [this] { turns_.wake_all(); });
        }
        meters_.on_turn([this](const std::string& tag) {
            if (tag != parent_tag && children_) children_->look(tag);
            if (tag == parent_tag && parent_) parent_->look();
            turns_.wake("sites");
        });
        index();
        watch_ = store_.watch([this](const store::Change& change) { changed(change); });
    }

    env::Env& env() override { return env_; }
    store::Store& store() override { return store_; }
    const env::Peer& self() const override { return options_.self; }
    Admission& admission() override { return gate_; }
    Events& events() override { return events_; }
    Peers& peers() override { return *this; }
    Leases& leases() override { return *this; }
    Epochs& epochs() override { return epochs_; }
    Meters& meters() override { return meters_; }
    Couriers& couriers() override { return *this; }
    Recovery& recovery() override { return recovery_; }

    void add(std::unique_ptr<Loop> loop) override { turns_.add(std::move(loop)); }
    void start() override {
        since_ = env_.clock.now();
        tell_of_missing();
        recovery_.start();
        if (options_.restored) recovery_.behind("its operator");
        if (options_.with_default_project) ensure_default_project();
        if (parent_) parent_->start();
        turns_.start();
    }
    void wake(std::string_view loop) override { turns_.wake(loop); }
    void accept(std::unique_ptr<env::Wire> wire) override {
        if (children_)
            children_->accept(std::move(wire));
        else
            log(Level::warning, "cell", "refused a wire of {}: this cell takes no children", wire->peer().name);
    }

    void dismiss(env::Peer::Role role, const std::string& name, const std::string& why) override {
        if (children_) children_->dismiss(role, name, why);
    }

private:
    std::vector<PeerView> children() const override { return children_ ? children_->views() : std::vector<PeerView>{}; }
    std::optional<PeerView> child(std::string_view name, std::optional<env::Peer::Role> role) const override {
        return children_ ? children_->view(name, role) : std::nullopt;
    }
    std::optional<PeerView> parent() const override { return parent_ ? parent_->view() : std::nullopt; }
    Instant listening_since() const override { return since_; }

    Own own() const override { return own_lease_.view(); }
    void want(std::string_view loop, bool wanted) override { own_lease_.want(loop, wanted); }
    void recall(Instant until, Duration length) override { own_lease_.recall(until, length); }
    void grant_nothing(std::string why) override {
        if (children_) children_->grant_nothing(std::move(why));
    }

    void hold(bool held) override {
        if (children_) children_->hold_leases(held);
    }

    Result<Link*> link_to(Neighbour neighbour, const env::Peer& peer) {
        if (neighbour == Neighbour::child && children_) return &children_->link_to(peer);
        if (neighbour == Neighbour::parent && parent_) return &parent_->link_to(peer);
        return fail(Code::unsupported,
                    neighbour == Neighbour::child ? "this cell has no sites below it" : "this cell has no parent");
    }
    Result<sync::CarriedSlices> pack(Neighbour neighbour, const env::Peer& peer, Extent extent) override {
        return TRY(link_to(neighbour, peer))->pack(extent);
    }
    void apply(Neighbour neighbour, const env::Peer& peer, sync::CarriedSlices carried, How how,
               std::function<void(Result<Outcome>)> then) override {
        auto link = link_to(neighbour, peer);
        if (!link) return then(std::unexpected(link.error()));
        (*link)->take(std::move(carried), how, std::move(then));
    }

    LinkContext context(const Slicer& slicer, const Closure& closure) {
        return {.env = env_,
                .store = store_,
                .slicer = slicer,
                .closure = closure,
                .replicas = replicas_,
                .meters = meters_,
                .self = options_.self,
                .version = options_.version,
                .recovery = recovery_,
                .seals = seals_};
    }

    bool has_heard(const std::string& tag) const {
        if (tag == parent_tag) {
            auto up = parent();
            return !up || up->heard;
        }
        bool site = tag.starts_with("site/");
        auto peer = child(tag.substr(tag.find('/') + 1), site ? env::Peer::Role::site : env::Peer::Role::node);
        return peer && peer->heard;
    }

    /// Everything that is kept from changes, from the objects that are there.
    void index() {
        for (const auto& facts : model::all_kinds()) {
            for (const store::ObjectPtr& object : store_.list(facts.kind)) {
                store::Change change{object->key, nullptr, object, object->wish.number};
                replicas_.change(change);
                if (down_closure_) down_closure_->change(change, [](const std::string&, const store::Key&) {});
                if (up_closure_) up_closure_->change(change, [](const std::string&, const store::Key&) {});
            }
        }
    }

    void changed(const store::Change& change) {
        replicas_.change(change);
        if (change.key.kind == model::Kind::site && change.changed(store::Part::wish)) meters_.site_changed(change.key.name);
        auto before_of = [&](const store::Key& key) { return key == change.key ? change.before.get() : nullptr; };
        if (children_) {
            down_closure_->change(
                change, [&](const std::string& tag, const store::Key& key) { children_->refresh(tag, key, before_of(key)); });
            children_->changed(change);
        }
        if (parent_) {
            up_closure_->change(change,
                                [&](const std::string&, const store::Key& key) { parent_->refresh(key, before_of(key)); });
            parent_->changed(change);
        }
        turns_.changed(change);
    }

    void tell_of_missing() {
        for (const store::Key& key : store_.missing())
            if (model::find_kind(static_cast<std::uint32_t>(key.kind)))
                events_.record(
                    key, {}, Tone::warning, "Damaged",
                    fmt::format("{} was damaged on this cell's disk. Nothing is removed for its absence. If it does not "
                                "come back by itself, apply it again, or delete it by name to let it go (rule S5)",
                                key.text()));
    }

    void ensure_default_project() {
        store::Key key{model::Kind::project, "", "default"};
        if (store_.get(key)) return;
        Uid uid(env_.chance.id());
        model::Project project;
        auto& meta = *project.mutable_metadata();
        meta.set_name("default");
        meta.set_uid(uid.text());
        meta.set_generation(1);
        meta.set_home(store_.cell().text());
        meta.set_creation_timestamp(rfc3339(env_.clock.wall()));
        project.mutable_spec()->set_description("What names no project.");
        store::Transaction transaction;
        transaction.put(key, uid, store_.cell(), 1, project.SerializeAsString(), store::Transaction::absent());
        store_.commit(std::move(transaction), nullptr);
    }

    std::string name_of(CellId cell) const {
        if (auto parent = this->parent(); parent && parent->peer.cell == cell)
            return fmt::format("{} {}", word(parent->peer.role), parent->peer.name);
        if (auto site = site_of(cell)) return "site " + *site;
        for (const PeerView& child : children())
            if (child.peer.cell == cell) return fmt::format("{} {}", word(child.peer.role), child.peer.name);
        return options_.parents.empty() ? "cell " + cell.text() : "the parent";
    }

    bool exists(CellId cell) const {
        if (!options_.parents.empty()) return true;
        if (site_of(cell)) return true;
        for (const PeerView& child : children())
            if (child.peer.cell == cell) return true;
        return false;
    }

    /// By what it says itself, or by its seat, which a crash does not forget.
    std::optional<std::string> site_of(CellId cell) const {
        for (const auto& object : store_.list(model::Kind::site)) {
            if (store::as<model::Site>(*object).status().cell() == cell.text()) return object->key.name;
            auto seat = seat_of(store_, env::Peer::Role::site, object->key.name);
            if (seat && seat->cell == cell && seat->object == object->uid) return object->key.name;
        }
        return {};
    }

    env::Env env_;
    store::Store& store_;
    Options options_;
    std::unique_ptr<Slicer> down_, up_;
    Instant since_{};
    Replicas replicas_;
    std::optional<Closure> down_closure_, up_closure_;
    Turns turns_;
    EventLog events_;
    OwnLease own_lease_;
    Epochs epochs_;
    Meters meters_;
    Seals seals_;
    Recovery recovery_;
    Gate gate_;
    std::unique_ptr<Children> children_;
    std::unique_ptr<Parent> parent_;
    std::unique_ptr<store::Watch> watch_;
};

} // namespace

std::unique_ptr<Cell> Cell::make(env::Env env, store::Store& store, Options options, std::unique_ptr<Slicer> down,
                                 std::unique_ptr<Slicer> up) {
    return std::make_unique<LiveCell>(env, store, std::move(options), std::move(down), std::move(up));
}

} // namespace skerry::cell
