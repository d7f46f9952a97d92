#include "env/fake_platter.h"

#include <algorithm>

namespace skerry::env {

void Platter::apply(std::string& content, const Change& change, std::size_t prefix) {
    if (change.resize) {
        content.resize(static_cast<std::size_t>(change.offset), '\0');
        return;
    }
    std::string_view bytes = std::string_view(change.bytes).substr(0, prefix);
    std::size_t offset = static_cast<std::size_t>(change.offset);
    if (bytes.empty()) return;
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
    std::ranges::copy(bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void Platter::write(std::uint64_t offset, std::string_view bytes) {
    pending_.push_back({offset, std::string(bytes), false});
    apply(seen_, pending_.back());
}

void Platter::truncate(std::uint64_t size) {
    pending_.push_back({size, {}, true});
    apply(seen_, pending_.back());
}

void Platter::sync() {
    for (const Change& change : pending_) apply(durable_, change);
    pending_.clear();
}

void Platter::flip_bit(std::uint64_t bit) {
    std::size_t at = static_cast<std::size_t>(bit / 8);
    char mask = static_cast<char>(1 << (bit % 8));
    seen_[at] = static_cast<char>(seen_[at] ^ mask);
    if (at < durable_.size()) durable_[at] = static_cast<char>(durable_[at] ^ mask);
    // Unsynced writes over it would bring the old bit back at a cut, as on a real disk.
}

std::string Platter::some_writes(Chance& chance) const {
    std::string content = durable_;
    for (const Change& change : pending_) {
        switch (chance.bits() % 3) {
        case 0:
            break;
        case 1:
            apply(content, change);
            break;
        default: {
            std::size_t sectors = change.bytes.size() / sector + 1;
            apply(content, change, change.resize ? 0 : chance.bits() % sectors * sector);
        }
        }
    }
    return content;
}

std::string Platter::torn_last(Chance& chance) const {
    std::string content = durable_;
    std::size_t last = chance.bits() % pending_.size();
    for (std::size_t i = 0; i < last; ++i) apply(content, pending_[i]);
    apply(content, pending_[last], chance.bits() % (pending_[last].bytes.size() + 1));
    return content;
}

std::string Platter::scattered(Chance& chance) const {
    // `ages[k]` would be the content after k changes; instead of keeping all, each sector draws its age first and is copied as
    // that age passes by.
    std::string content = durable_;
    std::size_t longest = content.size();
    std::size_t size = content.size();
    std::size_t size_age = chance.bits() % (pending_.size() + 1);
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        apply(content, pending_[i]);
        longest = std::max(longest, content.size());
        if (i + 1 == size_age) size = content.size();
    }
    std::size_t sectors = (longest + sector - 1) / sector;
    std::vector<std::size_t> ages(sectors);
    for (std::size_t& age : ages) age = chance.bits() % (pending_.size() + 1);
    std::string found(longest, '\0');
    content = durable_;
    for (std::size_t age = 0; age <= pending_.size(); ++age) {
        if (age > 0) apply(content, pending_[age - 1]);
        for (std::size_t s = 0; s < sectors; ++s) {
            if (ages[s] != age || s * sector >= content.size()) continue;
            content.copy(found.data() + s * sector, std::min(sector, content.size() - s * sector), s * sector);
        }
    }
    found.resize(size);
    return found;
}

std::string Platter::after_cut(Loss loss, Chance& chance) const {
    if (loss == Loss::everything || pending_.empty()) return durable_;
    if (loss == Loss::nothing) return seen_;
    switch (chance.bits() % 5) {
    case 0:
        return durable_;
    case 1:
        return seen_;
    case 2:
        return some_writes(chance);
    case 3:
        return torn_last(chance);
    default:
        return scattered(chance);
    }
}

} // namespace skerry::env
