#include "depot/serve.h"

#include <algorithm>

namespace skerry::depot {

RangeAnswer Serve::begin() {
    auto size = depot_.size(request_.digest);
    if (!size) return RangeAnswer::no(size.error().message);
    if (request_.offset > *size)
        return RangeAnswer::no("offset " + std::to_string(request_.offset) + " is beyond the end of " + request_.digest.text() +
                               " (" + std::to_string(*size) + " bytes)");
    at_ = request_.offset;
    left_ = std::min(request_.length, *size - request_.offset);
    return RangeAnswer::ok(*size);
}

Result<std::string> Serve::next(std::size_t limit) {
    std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>({left_, limit, 1 << 20}));
    if (want == 0) return std::string();
    std::string bytes = TRY(depot_.read(request_.digest, at_, want));
    if (bytes.empty())
        return fail(Code::corrupt,
                    "blob " + request_.digest.text() + " ends at byte " + std::to_string(at_) + ", before its size");
    at_ += bytes.size();
    left_ -= bytes.size();
    return bytes;
}

} // namespace skerry::depot
