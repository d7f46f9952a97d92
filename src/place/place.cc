#include "place/place.h"

#include "base/check.h"
#include "model/meta.pb.h"
#include "model/rules/law.h"

#include <algorithm>
#include <limits>
#include <map>
#include <queue>
#include <tuple>

namespace skerry::place {

namespace {

constexpr std::int64_t plenty = std::numeric_limits<std::int64_t>::max();

/// How many more replicas a row takes, and what stops it there.
struct Room {
    std::uint64_t more = 0;
    Why limit = Why::cpu;
    model::NodePort port;
};

Room room_at(const Snapshot& snapshot, std::size_t row, const Constraints& wanted) {
    Room room{static_cast<std::uint64_t>(plenty), Why::cpu, {}};
    auto limit = [&](std::int64_t count, Why why, model::NodePort port) {
        auto most = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
        if (most < room.more) room = {most, why, port};
    };
    if (wanted.cpu.count > 0 && snapshot.cpu_free[row]) limit(snapshot.cpu_free[row]->count / wanted.cpu.count, Why::cpu, {});
    if (wanted.memory.count > 0 && snapshot.memory_free[row])
        limit(snapshot.memory_free[row]->count / wanted.memory.count, Why::memory, {});
    // A place of unknown room has an unknown number of machines too.
    if (snapshot.cpu_free[row]) {
        for (model::NodePort port : wanted.ports) {
            const auto& used = snapshot.used_ports[row];
            auto taken = std::count(used.begin(), used.end(), port) + static_cast<std::int64_t>(snapshot.replicas[row]);
            limit(static_cast<std::int64_t>(snapshot.machines[row]) - taken, Why::port, port);
        }
    }
    return room;
}

/// Rows that may hold replicas at all, and what speaks against the others.
struct Eligible {
    std::vector<std::size_t> rows;
    std::size_t matching = 0;
    std::size_t out_of_jurisdiction = 0;
};

Eligible eligible_rows(const Snapshot& snapshot, const Constraints& wanted) {
    static const model::Labels no_labels;
    Eligible eligible;
    for (std::size_t row = 0; row < snapshot.size(); ++row) {
        const model::Labels& labels = snapshot.labels[row] ? *snapshot.labels[row] : no_labels;
        if (wanted.selector && !model::matches(*wanted.selector, labels)) continue;
        ++eligible.matching;
        if (wanted.within && !model::may_hold(snapshot.jurisdiction[row], *wanted.within)) {
            ++eligible.out_of_jurisdiction;
            continue;
        }
        eligible.rows.push_back(row);
    }
    return eligible;
}

class Placing {
public:
    Placing(const Snapshot& snapshot, const Constraints& wanted)
        : snapshot_(snapshot), wanted_(wanted), eligible_(eligible_rows(snapshot, wanted)), given_(snapshot.size(), 0),
          rooms_(snapshot.size()) {
        for (std::size_t row : eligible_.rows) rooms_[row] = room_at(snapshot, row, wanted);
    }

    Proposal run() {
        std::uint64_t unplaced = wanted_.mode == Mode::each ? fill_each() : fill_total();
        Proposal proposal;
        proposal.matching = eligible_.matching;
        proposal.unplaced = unplaced;
        for (std::size_t row : eligible_.rows)
            if (given_[row] > 0) proposal.assignments.push_back({row, given_[row]});
        bool nobody = eligible_.rows.empty() && wanted_.replicas > 0;
        if (unplaced > 0 || nobody || (wanted_.mode == Mode::each && eligible_.out_of_jurisdiction > 0))
            proposal.reasons = reasons();
        return proposal;
    }

private:
    std::uint64_t fill_each() {
        std::uint64_t unplaced = 0;
        for (std::size_t row : eligible_.rows) {
            std::uint64_t possible = snapshot_.replicas[row] + std::min<std::uint64_t>(rooms_[row].more, wanted_.replicas);
            given_[row] = static_cast<std::uint32_t>(std::min<std::uint64_t>(possible, wanted_.replicas));
            unplaced += wanted_.replicas - given_[row];
        }
        return unplaced;
    }

    std::uint64_t fill_total() {
        std::uint64_t there = 0;
        for (std::size_t row : eligible_.rows) {
            given_[row] = snapshot_.replicas[row];
            there += given_[row];
        }
        if (there > wanted_.replicas) {
            take_away(there - wanted_.replicas);
            return 0;
        }
        return add(wanted_.replicas - there);
    }

    std::int64_t memory(std::size_t row) const { return snapshot_.memory_free[row] ? snapshot_.memory_free[row]->count : 0; }
    std::int64_t cpu(std::size_t row) const { return snapshot_.cpu_free[row] ? snapshot_.cpu_free[row]->count : 0; }
    std::int64_t memory_left(std::size_t row) const { return memory(row) - wanted_.memory.count * moved(row); }
    std::int64_t cpu_left(std::size_t row) const { return cpu(row) - wanted_.cpu.count * moved(row); }
    std::int64_t moved(std::size_t row) const { return std::int64_t{given_[row]} - std::int64_t{snapshot_.replicas[row]}; }

    /// Smaller is better for one more replica.
    using Rank = std::tuple<std::int64_t, int, std::int64_t, std::int64_t, std::string_view, std::size_t>;
    Rank rank(std::size_t row) const {
        int image = snapshot_.holds_image[row] ? 0 : 1;
        if (wanted_.mode == Mode::binpack) {
            // Places in use come first, fullest first.
            std::int64_t unused = given_[row] > 0 ? 0 : 1;
            return {unused, image, memory_left(row), cpu_left(row), snapshot_.name[row], row};
        }
        return {given_[row], image, -memory_left(row), -cpu_left(row), snapshot_.name[row], row};
    }

    std::uint64_t add(std::uint64_t count) {
        std::priority_queue<Rank, std::vector<Rank>, std::greater<>> queue;
        auto takes_more = [&](std::size_t row) {
            return snapshot_.open[row] && static_cast<std::uint64_t>(moved(row)) < rooms_[row].more;
        };
        for (std::size_t row : eligible_.rows)
            if (takes_more(row)) queue.push(rank(row));
        for (; count > 0 && !queue.empty(); --count) {
            std::size_t row = std::get<std::size_t>(queue.top());
            queue.pop();
            ++given_[row];
            if (takes_more(row)) queue.push(rank(row));
        }
        return count;
    }

    /// Closed places give first, then (spread) those that hold most or (binpack) fewest; among equals the last by name.
    void take_away(std::uint64_t count) {
        using Order = std::tuple<int, std::int64_t, std::string_view, std::size_t>;
        auto order = [&](std::size_t row) {
            std::int64_t held = given_[row];
            return Order{snapshot_.open[row] ? 0 : 1, wanted_.mode == Mode::binpack ? -held : held, snapshot_.name[row], row};
        };
        std::priority_queue<Order> queue;
        for (std::size_t row : eligible_.rows)
            if (given_[row] > 0) queue.push(order(row));
        for (; count > 0; --count) {
            CHECK(!queue.empty(), "more to take away than there is");
            std::size_t row = std::get<3>(queue.top());
            queue.pop();
            if (--given_[row] > 0) queue.push(order(row));
        }
    }

    std::vector<Reason> reasons() const {
        std::map<Why, Reason> found;
        auto note = [&](Why why, model::NodePort port) {
            Reason& reason = found.try_emplace(why, Reason{why, 0, port}).first->second;
            ++reason.candidates;
        };
        for (std::size_t row : eligible_.rows) {
            if (wanted_.mode == Mode::each) {
                if (given_[row] < wanted_.replicas) note(rooms_[row].limit, rooms_[row].port);
            } else if (!snapshot_.open[row]) {
                note(Why::closed, {});
            } else {
                note(rooms_[row].limit, rooms_[row].port);
            }
        }
        std::vector<Reason> sorted;
        if (eligible_.out_of_jurisdiction > 0) sorted.push_back({Why::jurisdiction, eligible_.out_of_jurisdiction, {}});
        for (const auto& [why, reason] : found) sorted.push_back(reason);
        // Equal counts in the order of Why.
        std::sort(sorted.begin(), sorted.end(), [](const Reason& a, const Reason& b) {
            return std::tuple(b.candidates, a.why) < std::tuple(a.candidates, b.why);
        });
        return sorted;
    }

    const Snapshot& snapshot_;
    const Constraints& wanted_;
    Eligible eligible_;
    std::vector<std::uint32_t> given_;
    std::vector<Room> rooms_;
};

std::string phrase(const Reason& reason) {
    bool one = reason.candidates == 1;
    std::string count = std::to_string(reason.candidates);
    switch (reason.why) {
    case Why::selector:
        return count + (one ? " is" : " are") + " not selected";
    case Why::jurisdiction:
        return count + (one ? " is" : " are") + " out of jurisdiction";
    case Why::closed:
        return count + (one ? " takes" : " take") + " nothing new (out of touch or closed)";
    case Why::cpu:
        return count + (one ? " lacks" : " lack") + " cpu";
    case Why::memory:
        return count + (one ? " lacks" : " lack") + " memory";
    case Why::port:
        return count + (one ? " has" : " have") + " port " + reason.port.text() + " taken";
    }
    check_failed(__FILE__, __LINE__, "a known reason");
}

} // namespace

Proposal propose(const Snapshot& snapshot, const Constraints& wanted) { return Placing(snapshot, wanted).run(); }

std::string Proposal::text(std::string_view noun) const {
    std::string text = std::to_string(matching) + " " + std::string(noun) + (matching == 1 ? " matches" : "s match");
    for (const Reason& reason : reasons) text += "; " + phrase(reason);
    return text;
}

} // namespace skerry::place
