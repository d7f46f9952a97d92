#include "depot/transfer.h"

#include "base/check.h"

#include <algorithm>

namespace skerry::depot {

Result<std::unique_ptr<Depot::Transfer>> Depot::Transfer::open(env::Files& files, const std::string& path,
                                                               const std::string& mark_path, std::string_view boot_id,
                                                               std::uint64_t size) {
    std::uint64_t counted = TRY(Mark::read(files, mark_path, boot_id, size));
    auto file = TRY(files.open(path, env::Files::Mode::create));
    std::uint64_t length = TRY(file->size());
    counted = std::min(counted, length);
    TRY_VOID(file->truncate(counted));
    Mark mark = TRY(Mark::open(files, mark_path, boot_id, size));
    std::unique_ptr<Transfer> transfer(new Transfer(std::move(file), std::move(mark), size));
    TRY_VOID(transfer->hash_until(counted));
    return transfer;
}

Result<void> Depot::Transfer::hash_until(std::uint64_t end) {
    while (have_ < end) {
        std::string bytes = TRY(file_->read(have_, static_cast<std::size_t>(std::min<std::uint64_t>(end - have_, 1 << 20))));
        if (bytes.empty())
            return fail(Code::corrupt, "the file ends at byte " + std::to_string(have_) + ", before what was written to it");
        hash_.add(bytes);
        have_ += bytes.size();
    }
    return {};
}

Result<std::uint64_t> Depot::Transfer::write(std::uint64_t offset, std::string_view bytes) {
    if (offset > size_ || bytes.size() > size_ - offset)
        return fail(Code::invalid, std::to_string(bytes.size()) + " bytes at " + std::to_string(offset) +
                                       " go beyond its size of " + std::to_string(size_));
    if (offset < have_) {
        std::size_t known = static_cast<std::size_t>(std::min<std::uint64_t>(have_ - offset, bytes.size()));
        bytes.remove_prefix(known);
        offset += known;
    }
    if (bytes.empty()) return have_;
    TRY_VOID(file_->write(offset, bytes));
    if (offset > have_) {
        ahead_.add(offset, offset + bytes.size());
        return have_;
    }
    hash_.add(bytes);
    have_ += bytes.size();
    ahead_.remove(0, have_);
    if (!ahead_.empty() && ahead_.first().begin == have_) {
        std::uint64_t end = ahead_.first().end;
        TRY_VOID(hash_until(end));
        ahead_.remove(0, have_);
    }
    TRY_VOID(mark_.written(have_));
    return have_;
}

const Digest& Depot::Transfer::digest() {
    CHECK(have_ == size_);
    if (!digest_) digest_ = Digest::from_raw(hash_.finish());
    return *digest_;
}

Result<void> Depot::Transfer::sync() {
    TRY_VOID(file_->sync());
    TRY_VOID(mark_.synced(have_));
    durable_ = have_;
    return {};
}

} // namespace skerry::depot
