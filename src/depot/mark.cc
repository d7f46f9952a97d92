#include "depot/mark.h"

#include "base/bytes.h"
#include "base/digest.h"

#include <algorithm>

namespace skerry::depot {

namespace {

constexpr std::uint64_t sector = 512;
constexpr std::size_t slot_size = 32;
constexpr std::uint64_t key = 0x6d61726b2d763031; // "mark-v01"

std::uint64_t hash(std::string_view bytes) { return keyed_digest(key, bytes).low; }

struct Slot {
    std::uint64_t size = 0;
    std::uint64_t have = 0;
    std::uint64_t boot = 0;
    bool holds = false;
};

Slot parse(std::string_view bytes) {
    Slot slot;
    if (bytes.size() != slot_size || read_big_endian(bytes.substr(24)) != hash(bytes.substr(0, 24))) return slot;
    slot = {read_big_endian(bytes.substr(0, 8)), read_big_endian(bytes.substr(8, 8)), read_big_endian(bytes.substr(16, 8)), true};
    return slot;
}

} // namespace

std::string Mark::slot(std::uint64_t have) const {
    std::string bytes = big_endian(size_) + big_endian(have) + big_endian(boot_);
    return bytes + big_endian(hash(bytes));
}

Result<Mark> Mark::open(env::Files& files, const std::string& path, std::string_view boot_id, std::uint64_t size) {
    auto file = TRY(files.open(path, env::Files::Mode::create));
    return Mark(std::move(file), boot_id.empty() ? 0 : hash(boot_id), size);
}

Result<std::uint64_t> Mark::read(env::Files& files, const std::string& path, std::string_view boot_id, std::uint64_t size) {
    auto file = files.open(path, env::Files::Mode::read);
    if (!file) {
        if (file.error().code == Code::not_found) return 0;
        return std::unexpected(file.error());
    }
    std::uint64_t have = 0;
    for (std::uint64_t i = 0; i < 3; ++i) {
        Slot slot = parse(TRY((*file)->read(i * sector, slot_size)));
        if (!slot.holds || (size != 0 && slot.size != size) || slot.have > slot.size) continue;
        if (i == 0 && (boot_id.empty() || slot.boot != hash(boot_id))) continue;
        have = std::max(have, slot.have);
    }
    return have;
}

Result<void> Mark::written(std::uint64_t have) {
    if (boot_ == 0) return {};
    return file_->write(0, slot(have));
}

Result<void> Mark::synced(std::uint64_t have) {
    TRY_VOID(file_->write(second_ ? 2 * sector : sector, slot(have)));
    second_ = !second_;
    return file_->sync();
}

} // namespace skerry::depot
