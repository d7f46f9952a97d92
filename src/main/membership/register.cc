#include "main/membership/register.h"

#include "base/json.h"
#include "base/log.h"
#include "cell/links/seats.h"

namespace skerry::main {

namespace {

constexpr std::string_view member_space = "member", revoked_space = "revoked";

std::string tag_of(const trust::Identity& identity) { return std::string(trust::name(identity.role)) + "/" + identity.name; }

std::optional<trust::Member> parse(std::string_view tag, const std::string& note) {
    auto json = parse_json(note);
    auto member = json ? trust::Member::from_json(*json) : std::unexpected(json.error());
    if (member) return *member;
    log(Level::error, "main", "the record of {} cannot be read: {}", tag, member.error().message);
    return {};
}

} // namespace

Register::Register(store::Store& store) : store_(store) {
    for (const auto& [key, note] : store.notes(revoked_space)) {
        // A record that cannot be read is a revocation all the same.
        Json json = parse_json(note).value_or(Json::object());
        revoked_[key] = {.key = key,
                         .holder = std::string(json.text("holder")),
                         .reason = std::string(json.text("reason")),
                         .when = std::string(json.text("when"))};
    }
}

std::optional<trust::Member> Register::member(const trust::Identity& identity) const {
    std::string tag = tag_of(identity);
    if (auto pending = pending_->find(tag); pending != pending_->end()) return pending->second.member;
    auto note = store_.note(member_space, tag);
    return note ? parse(tag, *note) : std::nullopt;
}

std::vector<std::pair<std::string, trust::Member>> Register::members() const {
    std::vector<std::pair<std::string, trust::Member>> list;
    for (const auto& [tag, note] : store_.notes(member_space))
        if (auto member = parse(tag, note)) list.emplace_back(tag, std::move(*member));
    return list;
}

Result<void> Register::seat_all() {
    constexpr std::size_t most = store::Transaction::max_writes / 2; // a seat is one note written and one erased
    std::vector<store::Transaction> batches;
    std::size_t seats = 0;
    for (const auto& [tag, member] : members()) {
        auto role = tag.starts_with("node/") ? env::Peer::Role::node : env::Peer::Role::site;
        std::string name = tag.substr(tag.find('/') + 1);
        store::Key key = cell::seat_object(role, name);
        // From a damaged row nothing follows (rule S5).
        if (cell::seat_of(store_, role, name) || store_.missing().contains(key)) continue;
        auto object = store_.get(key);
        if (seats++ % most == 0) batches.emplace_back();
        cell::take_seat(batches.back(), role, name, {.object = object ? object->uid : Uid{}, .cell = member.cell});
    }
    if (batches.empty()) return {};
    for (auto& batch : batches) store_.commit(std::move(batch), nullptr);
    return store_.flush();
}

void Register::put(store::Transaction transaction, const trust::Identity& identity, const trust::Member& member,
                   std::function<void(Result<store::Number>)> then) {
    std::string tag = tag_of(identity);
    transaction.note(member_space, tag, write_json(member.json()));
    std::uint64_t serial = ++puts_;
    (*pending_)[tag] = {member, serial};
    store_.commit(std::move(transaction), [pending = pending_, tag, serial, then = std::move(then)](Result<store::Number> done) {
        if (auto found = pending->find(tag); found != pending->end() && found->second.serial == serial) pending->erase(found);
        if (then) then(std::move(done));
    });
}

std::vector<Register::Revocation> Register::revocations() const {
    std::vector<Revocation> list;
    for (const auto& [key, revocation] : revoked_) list.push_back(revocation);
    return list;
}

void Register::revoke(store::Transaction& transaction, Revocation revocation) {
    // One that is in force but not on disk, since its commit was refused, is written again.
    if (revocation.key.empty() || store_.note(revoked_space, revocation.key)) return;
    transaction.note(
        revoked_space, revocation.key,
        write_json(Json::object({{"holder", revocation.holder}, {"reason", revocation.reason}, {"when", revocation.when}})));
    revoked_.try_emplace(revocation.key, revocation);
}

} // namespace skerry::main
