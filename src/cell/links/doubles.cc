#include "cell/links/doubles.h"

#include "base/log.h"

#include <algorithm>

namespace skerry::cell {

namespace {

constexpr std::string_view double_space = "double";
constexpr std::size_t most_refused = 16;
constexpr std::size_t most_superseded = 64;
constexpr unsigned calls_that_prove = 2;

} // namespace

/// A note is the cell's id and the refused incarnations, 16 bytes each.
Doubles::Doubles(store::Store& store) : store_(store) {
    for (const auto& [tag, bytes] : store.notes(double_space)) {
        Child child;
        for (std::size_t at = 0; at + 16 <= bytes.size(); at += 16) {
            auto id = Id::from_bytes(std::string_view(bytes).substr(at, 16));
            if (!id) break;
            if (at == 0)
                child.cell = CellId(*id);
            else
                child.refused.push_back(IncarnationId(*id));
        }
        children_[tag] = std::move(child);
    }
}

Doubles::Verdict Doubles::judge(const std::string& tag, CellId cell, IncarnationId incarnation, Instant now) {
    Child& child = children_[tag];
    if (child.cell != cell) child = Child{.cell = cell, .served = {}, .superseded = {}, .refused = {}, .refused_at = {}};
    if (std::ranges::find(child.refused, incarnation) != child.refused.end()) {
        child.refused_at = now;
        return Verdict::refuse;
    }
    if (child.served == incarnation) return Verdict::serve;
    IncarnationId last = std::exchange(child.served, incarnation);
    auto back = child.superseded.find(incarnation);
    if (back != child.superseded.end() && ++back->second >= calls_that_prove) {
        child.superseded.clear();
        refuse(tag, child, last, now);
        return Verdict::expel;
    }
    if (last) {
        if (child.superseded.size() >= most_superseded) child.superseded.clear();
        child.superseded.try_emplace(last, 0);
    }
    return Verdict::serve;
}

void Doubles::refuse(const std::string& tag, Child& child, IncarnationId incarnation, Instant now) {
    child.refused_at = now;
    child.refused.push_back(incarnation);
    if (child.refused.size() > most_refused) child.refused.erase(child.refused.begin());
    std::string note = child.cell.bytes();
    for (IncarnationId each : child.refused) note += each.bytes();
    store::Transaction transaction;
    transaction.note(double_space, tag, std::move(note));
    store_.commit(std::move(transaction), nullptr);
    log(Level::warning, "cell", "{}: {}", tag, *trouble(tag, now));
}

std::optional<std::string> Doubles::trouble(const std::string& tag, Instant now) const {
    auto at = children_.find(tag);
    if (at == children_.end() || !at->second.refused_at || now - *at->second.refused_at > remembered) return {};
    return "two cells call as " + tag +
           ", as after the copy of a disk; the one that was here first is served, the other is refused: stop it, or make it one "
           "of its "
           "own: skerry reset there, then join with another token (skerry token create)";
}

std::string Doubles::reason(const std::string& tag) {
    return "another cell with the same identity is served as " + tag +
           " (rule H1; was a disk copied?): stop one of the two; to make this one another site or node: skerry reset here, then "
           "join with a "
           "token of its own (skerry token create)";
}

} // namespace skerry::cell
