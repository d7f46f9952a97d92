#include "cell/slices/closure.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace skerry::cell {

std::string peer_tag(env::Peer::Role role, std::string_view name) {
    std::string_view word = role == env::Peer::Role::node ? "node/" : role == env::Peer::Role::site ? "site/" : "core/";
    return std::string(word).append(name);
}

std::vector<std::pair<std::string, Closure::Parts>> Closure::roots(const store::Object* object) const {
    std::vector<std::pair<std::string, Parts>> roots;
    if (!object) return roots;
    for (const Slicer::Root& root : slicer_.roots(*object, get_)) {
        Parts parts{.refers = root.parts.empty()};
        for (store::Part part : root.parts)
            (part == store::Part::wish ? parts.wish : part == store::Part::found ? parts.found : parts.seen) = true;
        roots.emplace_back(way_ == Way::up ? std::string(parent_tag) : peer_tag(root.role, root.peer), parts);
    }
    return roots;
}

void Closure::change(const store::Change& change, const Touched& touched) {
    auto now = roots(change.after.get());
    // Those who may hold it: whom it is for now, and whose slices have it already, for whatever reason.
    std::vector<std::string> concerned;
    if (auto at = holders_.find(change.key); at != holders_.end()) concerned.assign(at->second.begin(), at->second.end());
    for (const auto& [peer, parts] : now) concerned.push_back(peer);
    std::ranges::sort(concerned);
    concerned.erase(std::ranges::unique(concerned).begin(), concerned.end());
    for (const std::string& peer : concerned) {
        auto root = std::ranges::find(now, peer, [](const auto& each) -> const std::string& { return each.first; });
        update(peer, change.key, root == now.end() ? Parts{} : root->second, change.after.get(), change.number, touched);
    }
}

void Closure::update(const std::string& peer, const store::Key& key, Parts root, const store::Object* object,
                     store::Number number, const Touched& touched) {
    Slice& slice = slices_[peer];
    auto [at, fresh] = slice.try_emplace(key);
    if (fresh) holders_[key].insert(peer);
    at->second.root = root;
    bool member = at->second.root || at->second.references > 0;
    std::vector<store::Key> before = std::move(at->second.refers);
    std::vector<store::Key> after;
    if (member && object) after = slicer_.references(*object);
    at->second.refers = after;
    touched(peer, key);
    for (const store::Key& target : after)
        if (std::ranges::find(before, target) == before.end()) refer(peer, target, number, touched);
    for (const store::Key& target : before)
        if (std::ranges::find(after, target) == after.end()) release(peer, target, touched);
    if (member) return;
    slice.erase(key);
    auto holders = holders_.find(key);
    holders->second.erase(peer);
    if (holders->second.empty()) holders_.erase(holders);
    if (slice.empty()) slices_.erase(peer);
}

void Closure::refer(const std::string& peer, const store::Key& key, store::Number number, const Touched& touched) {
    Membership& membership = slices_[peer][key];
    holders_[key].insert(peer);
    ++membership.references;
    membership.since = membership.references == 1 ? number : std::min(membership.since, number);
    if (membership.references > 1 || membership.root) return;
    update(peer, key, {}, get_(key).get(), number, touched);
}

void Closure::release(const std::string& peer, const store::Key& key, const Touched& touched) {
    Membership& membership = slices_.at(peer).at(key);
    CHECK(membership.references > 0);
    --membership.references;
    if (membership.references > 0 || membership.root) return;
    update(peer, key, {}, get_(key).get(), 0, touched);
}

Closure::Parts Closure::parts(const std::string& peer, const store::Key& key) const {
    auto slice = slices_.find(peer);
    if (slice == slices_.end()) return {};
    auto at = slice->second.find(key);
    if (at == slice->second.end()) return {};
    Parts parts = at->second.root;
    if (at->second.references > 0) parts.wish = true;
    return parts;
}

store::Number Closure::since(const std::string& peer, const store::Key& key) const {
    auto slice = slices_.find(peer);
    if (slice == slices_.end()) return 0;
    auto at = slice->second.find(key);
    return at == slice->second.end() || at->second.root ? 0 : at->second.since;
}

std::vector<store::Key> Closure::members(const std::string& peer) const {
    std::vector<store::Key> keys;
    if (auto slice = slices_.find(peer); slice != slices_.end())
        for (const auto& [key, membership] : slice->second) keys.push_back(key);
    return keys;
}

} // namespace skerry::cell
