#include "site/neighbours.h"

#include "base/log.h"
#include "cell/links/children.h"
#include "model/site.pb.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace skerry::site {

namespace {

constexpr Duration least_beat = 500ms, most_beat = 15s, longest_believed = 60s;
constexpr std::size_t longest_message = 8;

} // namespace

class Neighbours::End final : public env::Wire::Listener {
public:
    End(Neighbours& owner, std::string name, std::unique_ptr<env::Wire> wire)
        : owner_(owner), name_(std::move(name)), wire_(std::move(wire)) {}
    void begin() { wire_->listen(*this); }
    void send(std::string message) {
        // A beat that waits behind others says nothing new.
        if (wire_->unsent() == 0) wire_->send(std::move(message));
    }
    void arrived(std::string message) override { owner_.arrived(name_, message, *this); }
    void closed(std::string) override { owner_.closed(name_, *this); }
    void drained() override {}

private:
    Neighbours& owner_;
    std::string name_;
    std::unique_ptr<env::Wire> wire_;
};

Neighbours::Neighbours(env::Env env, store::Store& store, std::string own_site, env::Dialer& dialer, std::function<void()> turned)
    : env_(env), store_(store), own_(std::move(own_site)), dialer_(dialer), turned_(std::move(turned)) {}

Neighbours::~Neighbours() = default;

void Neighbours::start() {
    watch_ = store_.watch([this](const store::Change& change) {
        if (change.key.kind == model::Kind::site && change.key.name == own_ && change.changed(store::Part::wish)) read_wishes();
    });
    read_wishes();
    tick();
}

Duration Neighbours::beat() const {
    const auto* site = store_.get<model::Site>({model::Kind::site, "", own_});
    return site ? std::clamp(cell::beat_of_site(*site), least_beat, most_beat) : most_beat;
}

void Neighbours::read_wishes() {
    std::map<std::string, std::vector<std::string>> wanted;
    if (const auto* site = store_.get<model::Site>({model::Kind::site, "", own_}))
        for (const auto& peer : site->spec().peers())
            wanted[peer.name()].assign(peer.addresses().begin(), peer.addresses().end());
    for (auto& [name, contact] : contacts_) {
        if (wanted.contains(name)) continue;
        contact.addresses.clear();
        contact.dialling.reset();
        drop(contact.dialled);
    }
    for (auto& [name, addresses] : wanted) {
        auto& contact = contacts_[name];
        if (contact.addresses == addresses) continue;
        contact.addresses = std::move(addresses);
        contact.next = contact.failures = 0;
        contact.retry = {};
    }
    timer_ = env_.timers.after(0ms, [this] { tick(); });
}

void Neighbours::tick() {
    std::string message = std::to_string(beat() / 1ms);
    Instant now = env_.clock.now();
    for (auto& [name, contact] : contacts_) {
        for (auto* end : {&contact.dialled, &contact.accepted})
            if (*end) (*end)->send(message);
        if (!contact.addresses.empty() && !contact.dialled && !contact.dialling && now >= contact.retry) dial(name, contact);
    }
    judge();
    timer_ = env_.timers.after(beat(), [this] { tick(); });
}

void Neighbours::dial(const std::string& name, Contact& contact) {
    const std::string& address = contact.addresses[contact.next++ % contact.addresses.size()];
    contact.dialling = dialer_.dial(address, env::Channel::control, [this, name](Result<std::unique_ptr<env::Wire>> wire) {
        auto at = contacts_.find(name);
        if (at == contacts_.end()) return;
        Contact& contact = at->second;
        // We are in a call of the token's.
        env_.timers.post([token = std::shared_ptr<env::Timer>(std::move(contact.dialling))] {});
        if (wire && ((*wire)->peer().role != env::Peer::Role::site || (*wire)->peer().name != name)) {
            log(Level::warning, "site", "neighbour {}: its address answers as {}; set spec.peers right", name,
                (*wire)->peer().name);
            wire = fail(Code::forbidden, "another answers");
        }
        if (!wire) {
            Duration most = std::min<Duration>(60s, 1s * (1 << std::min(contact.failures++, 6u)));
            contact.retry = env_.clock.now() + std::chrono::duration_cast<Duration>(
                                                   most * (0.5 + 0.5 * static_cast<double>(env_.chance.bits() % 1000) / 1000));
            return;
        }
        contact.failures = 0;
        drop(contact.dialled);
        contact.dialled = std::make_unique<End>(*this, name, std::move(*wire));
        contact.dialled->send(std::to_string(beat() / 1ms));
        contact.dialled->begin();
    });
}

void Neighbours::accept(std::unique_ptr<env::Wire> wire) {
    std::string name = wire->peer().name;
    if (name == own_ || (!contacts_.contains(name) && contacts_.size() >= most_contacts)) {
        log(Level::warning, "site", "let go a wire of neighbour {}: {}", name,
            name == own_ ? "it is this site itself" : "too many neighbours");
        return;
    }
    Contact& contact = contacts_[name];
    drop(contact.accepted);
    contact.accepted = std::make_unique<End>(*this, name, std::move(wire));
    contact.accepted->send(std::to_string(beat() / 1ms));
    contact.accepted->begin();
}

void Neighbours::arrived(const std::string& name, std::string_view message, End& end) {
    auto at = contacts_.find(name);
    if (at == contacts_.end()) return;
    std::uint32_t milliseconds = 0;
    auto [rest, error] = std::from_chars(message.data(), message.data() + message.size(), milliseconds);
    if (message.size() > longest_message || error != std::errc() || rest != message.data() + message.size() ||
        milliseconds == 0) {
        log(Level::warning, "site", "neighbour {} sent what is no beat; its wire is closed", name);
        return closed(name, end);
    }
    Duration theirs = std::clamp<Duration>(std::chrono::milliseconds(milliseconds), least_beat, longest_believed);
    at->second.until = env_.clock.now() + 3 * theirs + 2s;
    if (!at->second.heard) judge();
}

void Neighbours::closed(const std::string& name, End& end) {
    auto at = contacts_.find(name);
    if (at == contacts_.end()) return;
    for (auto* held : {&at->second.dialled, &at->second.accepted})
        if (held->get() == &end) drop(*held);
}

/// Later: we may be inside a call of this very wire.
void Neighbours::drop(std::unique_ptr<End>& end) {
    if (end) env_.timers.post([gone = std::shared_ptr<End>(std::move(end))] {});
    end = nullptr;
}

void Neighbours::judge() {
    bool news = false;
    Instant now = env_.clock.now();
    for (auto at = contacts_.begin(); at != contacts_.end();) {
        Contact& contact = at->second;
        bool heard = now < contact.until;
        news = news || heard != contact.heard;
        contact.heard = heard;
        bool idle = !heard && contact.addresses.empty() && !contact.accepted && !contact.dialled;
        at = idle ? contacts_.erase(at) : std::next(at);
    }
    if (news) turned_();
}

std::vector<std::string> Neighbours::heard() const {
    std::vector<std::string> names;
    for (const auto& [name, contact] : contacts_)
        if (contact.heard) names.push_back(name);
    return names;
}

} // namespace skerry::site
