#include "sim/world/images.h"

#include "base/digest.h"
#include "cell/slices/closure.h"
#include "sim/fleet.h"

#include <functional>

namespace skerry::sim {

namespace {
constexpr std::int64_t bytes_per_second = 2 << 20;
constexpr Duration slice = 1s;
} // namespace

std::int64_t SimImages::size_of(const std::string& digest) {
    return (1 + static_cast<std::int64_t>(keyed_digest(7, digest).low % 12)) << 20;
}

void SimImages::ensure(const std::string& digest, std::function<void(Result<void>)> done) {
    auto& agenda = fleet_.agenda();
    if (computer_.images.contains(digest))
        return agenda.at(agenda.now(), What::image, computer_.cell, Agenda::Bound::life, [done = std::move(done)] { done({}); });
    auto [at, first] = waiting_.try_emplace(digest);
    at->second.push_back(std::move(done));
    if (first) fetch_on(digest);
}

bool SimImages::reaches(const Computer& computer, const std::string& digest) const {
    if (computer.parent == 0) return true; // the core
    const Computer& parent = fleet_.computer(computer.parent);
    if (!fleet_.network().carries(computer.cell) || !parent.process) return false;
    return parent.images.contains(digest) || reaches(parent, digest);
}

/// As much of that as may cross to the site now, as its uplink has it; within a site anything may.
std::int64_t SimImages::take(const std::string& digest, std::int64_t most) {
    Computer* site = &computer_;
    if (site->role == env::Peer::Role::node) site = &fleet_.computer(site->parent);
    if (site->parent == 0 || site->images.contains(digest) || !site->process || !site->process->works()) return most;
    auto& meters = site->process->cell().meters();
    std::string uplink(cell::parent_tag);
    std::int64_t bytes = std::min<std::int64_t>(most, size_of(digest) - computer_.bytes_of[digest]);
    if (auto room = meters.bulk_room(uplink)) bytes = std::min(bytes, static_cast<std::int64_t>(*room / 17 * 16));
    if (bytes <= 0) return 0;
    sync::Use use;
    sync::count_received(use, static_cast<std::size_t>(bytes));
    meters.count(uplink, sync::Flow::bulk, use);
    fleet_.took_images(*site, use.both());
    return bytes;
}

void SimImages::fetch_on(const std::string& digest) {
    auto& agenda = fleet_.agenda();
    agenda.at(agenda.now() + slice, What::image, computer_.cell, Agenda::Bound::life, [this, digest] {
        if (reaches(computer_, digest)) computer_.bytes_of[digest] += take(digest, bytes_per_second);
        if (computer_.bytes_of[digest] < size_of(digest)) return fetch_on(digest);
        // What a node fetched came through its site, which keeps it: once per site over the WAN.
        for (Computer* one = &computer_; one->parent != 0; one = &fleet_.computer(one->parent)) one->images.insert(digest);
        auto list = std::move(waiting_[digest]);
        waiting_.erase(digest);
        for (auto& done : list) done({});
    });
}

std::string SimImages::progress(const std::string& digest) {
    if (!waiting_.contains(digest)) return {};
    return std::to_string(computer_.bytes_of[digest] >> 20) + " MiB of " + std::to_string(size_of(digest) >> 20) + " MiB";
}

void SimImages::keep(const std::set<std::string>& digests) {
    if (fleet_.has_children(computer_.cell)) return;
    std::erase_if(computer_.images, [&](const std::string& digest) { return !digests.contains(digest); });
    std::erase_if(computer_.bytes_of,
                  [&](const auto& entry) { return !digests.contains(entry.first) && !waiting_.contains(entry.first); });
}

} // namespace skerry::sim
