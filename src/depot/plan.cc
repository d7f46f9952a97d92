#include "depot/plan.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace skerry::depot {

Fetch::Blob* Fetch::find(const Digest& digest) {
    auto found = blobs_.find(digest);
    return found == blobs_.end() ? nullptr : &found->second;
}

void Fetch::enqueue(const Digest& digest, const Blob& blob) {
    if (blob.state == State::open && !blob.missing.empty()) queue_.insert({blob.priority, blob.order, digest});
}

void Fetch::dequeue(const Digest& digest, const Blob& blob) { queue_.erase({blob.priority, blob.order, digest}); }

/// What is in flight counts as missing again.
void Fetch::ground(Blob& blob) {
    for (const auto& [offset, flight] : blob.flights) {
        std::uint64_t left = flight.length - flight.got;
        blob.missing.add(offset + flight.got, offset + flight.length);
        in_flight_ -= left;
    }
    blob.flights.clear();
    if (blob.size) blob.missing.remove(*blob.size, endless);
}

void Fetch::restart(Blob& blob, std::uint64_t have) {
    ground(blob);
    blob.missing.clear();
    blob.here = std::min(have, blob.size.value_or(endless));
    blob.missing.add(blob.here, blob.size.value_or(endless));
}

/// Moves a blob of which nothing is missing on to `complete`.
void Fetch::settle(const Digest& digest, Blob& blob) {
    if (blob.state != State::open || !blob.size || !blob.missing.empty() || !blob.flights.empty()) return;
    CHECK(blob.here == *blob.size);
    dequeue(digest, blob);
    blob.state = State::complete;
    complete_.push_back(digest);
}

void Fetch::want(const std::string& owner, Want want) {
    auto [at, fresh] = blobs_.try_emplace(want.digest);
    Blob& blob = at->second;
    dequeue(want.digest, blob);
    if (fresh) {
        blob.order = wants_++;
        blob.priority = want.priority;
        blob.size = want.size;
        blob.size_is_certain = want.size.has_value();
        restart(blob, want.have);
    }
    blob.priority = std::min(blob.priority, want.priority);
    blob.owners.insert(owner);
    enqueue(want.digest, blob);
    if (!fresh && want.size && !blob.size && blob.state == State::open && offered(want.digest, *want.size))
        blob.size_is_certain = true;
    settle(want.digest, blob);
}

std::vector<Digest> Fetch::unwant(const std::string& owner) {
    std::vector<Digest> dropped;
    for (auto at = blobs_.begin(); at != blobs_.end();) {
        Blob& blob = at->second;
        if (blob.owners.erase(owner) == 0 || !blob.owners.empty()) {
            ++at;
            continue;
        }
        dequeue(at->first, blob);
        ground(blob);
        std::erase(complete_, at->first);
        if (blob.state != State::done) dropped.push_back(at->first);
        at = blobs_.erase(at);
    }
    return dropped;
}

std::optional<RangeRequest> Fetch::next() {
    if (!linked_) return {};
    for (const auto& [priority, order, digest] : queue_) {
        Blob& blob = blobs_.at(digest);
        // Until the size is known, one range at a time: more might lie beyond the end.
        if (!blob.size && !blob.flights.empty()) continue;
        Spans::Span gap = blob.missing.first();
        std::uint64_t length = std::min({gap.length(), limits_.range, limits_.window});
        if (in_flight_ + length > limits_.window) return {};
        RangeRequest request{digest, gap.begin, length, ++requests_};
        blob.missing.remove(gap.begin, gap.begin + length);
        blob.flights[gap.begin] = {length, 0, request.number};
        in_flight_ += length;
        if (blob.missing.empty()) dequeue(request.digest, blob);
        return request;
    }
    return {};
}

bool Fetch::offered(const Digest& digest, std::uint64_t size) {
    Blob* blob = find(digest);
    if (!blob || blob->state != State::open) return false;
    if (blob->size) {
        if (*blob->size == size) return true;
        refused(digest, "the source has " + std::to_string(size) + " bytes, expected are " + std::to_string(*blob->size));
        return false;
    }
    // More here than there is: what is here belongs to something else.
    bool excess = blob->here > size;
    dequeue(digest, *blob);
    blob->size = size;
    if (excess) {
        restart(*blob, 0);
    } else {
        blob->missing.remove(size, endless);
        for (auto at = blob->flights.begin(); at != blob->flights.end();) {
            auto& [offset, flight] = *at;
            std::uint64_t kept = offset >= size ? 0 : std::min(flight.length, size - offset);
            in_flight_ -= flight.length - std::max(kept, flight.got);
            flight.length = std::max(kept, flight.got);
            at = flight.got == flight.length ? blob->flights.erase(at) : std::next(at);
        }
    }
    enqueue(digest, *blob);
    settle(digest, *blob);
    return true;
}

bool Fetch::awaits(const RangeRequest& request) const {
    auto blob = blobs_.find(request.digest);
    if (blob == blobs_.end()) return false;
    auto flight = blob->second.flights.find(request.offset);
    return flight != blob->second.flights.end() && flight->second.number == request.number;
}

bool Fetch::arrived(const RangeRequest& request, std::uint64_t offset, std::uint64_t count) {
    if (!awaits(request) || count == 0) return false;
    Blob& blob = blobs_.at(request.digest);
    auto at = blob.flights.find(request.offset);
    Flight& flight = at->second;
    if (request.offset + flight.got != offset || count > flight.length - flight.got) return false;
    flight.got += count;
    in_flight_ -= count;
    blob.here += count;
    if (flight.got == flight.length) blob.flights.erase(at);
    settle(request.digest, blob);
    return true;
}

void Fetch::broke_off(const RangeRequest& request) {
    if (!awaits(request)) return;
    Blob& blob = blobs_.at(request.digest);
    auto at = blob.flights.find(request.offset);
    const Flight& flight = at->second;
    in_flight_ -= flight.length - flight.got;
    blob.missing.add(request.offset + flight.got, request.offset + flight.length);
    blob.flights.erase(at);
    enqueue(request.digest, blob);
}

void Fetch::refused(const Digest& digest, std::string why) {
    Blob* blob = find(digest);
    if (!blob || blob->state != State::open) return;
    dequeue(digest, *blob);
    ground(*blob);
    blob->state = State::refused;
    blob->why = std::move(why);
}

void Fetch::retry(const Digest& digest) {
    Blob* blob = find(digest);
    if (!blob || blob->state != State::refused) return;
    blob->state = State::open;
    blob->spoils = 0;
    blob->why.clear();
    enqueue(digest, *blob);
    settle(digest, *blob);
}

void Fetch::link_lost() {
    linked_ = false;
    for (auto& [digest, blob] : blobs_) {
        ground(blob);
        enqueue(digest, blob);
    }
    CHECK(in_flight_ == 0);
}

void Fetch::link_back() {
    if (!linked_) {
        // Perhaps another source, or one that has learned.
        std::vector<Digest> refusals;
        for (const auto& [digest, blob] : blobs_)
            if (blob.state == State::refused) refusals.push_back(digest);
        for (const Digest& digest : refusals) retry(digest);
    }
    linked_ = true;
}

std::vector<Digest> Fetch::take_complete() { return std::exchange(complete_, {}); }

void Fetch::verified(const Digest& digest) {
    Blob* blob = find(digest);
    if (!blob || blob->state == State::done) return;
    dequeue(digest, *blob);
    ground(*blob);
    std::erase(complete_, digest);
    blob->missing.clear();
    if (blob->size) blob->here = *blob->size;
    blob->state = State::done;
}

void Fetch::spoiled(const Digest& digest, std::string why) {
    Blob* blob = find(digest);
    if (!blob) return;
    dequeue(digest, *blob);
    std::erase(complete_, digest);
    // A size that only the source told is as doubtful as its bytes.
    if (!blob->size_is_certain) blob->size.reset();
    restart(*blob, 0);
    blob->state = State::open;
    if (++blob->spoils >= limits_.spoils) {
        refused(digest, std::move(why));
        return;
    }
    enqueue(digest, *blob);
    settle(digest, *blob);
}

Fetch::Progress Fetch::progress(const std::string& owner) const {
    Progress sum;
    for (const auto& [digest, blob] : blobs_) {
        if (!owner.empty() && !blob.owners.contains(owner)) continue;
        ++sum.blobs_total;
        sum.bytes_done += blob.here;
        if (blob.size)
            sum.bytes_total += *blob.size;
        else if (blob.state != State::done)
            ++sum.blobs_of_unknown_size;
        if (blob.state == State::done) ++sum.blobs_done;
        if (blob.state == State::refused && sum.refusals.size() < 8) sum.refusals.push_back(digest.text() + ": " + blob.why);
    }
    return sum;
}

} // namespace skerry::depot
