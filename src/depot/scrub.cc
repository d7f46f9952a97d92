#include "depot/scrub.h"

namespace skerry::depot {

Result<std::optional<bool>> Scrub::step(std::size_t limit) {
    file_->forget(at_, limit);
    auto bytes = file_->read(at_, limit);
    if (!bytes) {
        // What the disk cannot read any more is as damaged as what it reads wrongly; anything else is no verdict on the blob.
        if (bytes.error().code != Code::internal) return std::unexpected(bytes.error());
        return damaged();
    }
    file_->forget(at_, limit);
    hash_.add(*bytes);
    at_ += bytes->size();
    if (bytes->size() == limit) return std::nullopt;
    if (Digest::from_raw(hash_.finish()) == digest_) return true;
    return damaged();
}

Result<std::optional<bool>> Scrub::damaged() {
    TRY_VOID(depot_.set_aside(digest_));
    return false;
}

} // namespace skerry::depot
