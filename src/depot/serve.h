#pragma once

#include "base/result.h"
#include "depot/depot.h"
#include "depot/range.h"

#include <cstdint>
#include <string>

namespace skerry::depot {

/// One answer to a range request, read from the depot piece by piece. `begin` and `next` block: they are called on
/// workers.
class Serve {
public:
    Serve(const Depot& depot, RangeRequest request) : depot_(depot), request_(std::move(request)) {}

    /// The answer's first line. `no …` is all that is sent then.
    RangeAnswer begin();
    /// The next bytes, at most `limit` and 1 MiB; empty at the range's end. An error ends the stream (the blob was swept or set
    /// aside).
    Result<std::string> next(std::size_t limit);
    std::uint64_t left() const { return left_; }
    const RangeRequest& request() const { return request_; }

private:
    const Depot& depot_;
    RangeRequest request_;
    std::uint64_t at_ = 0;
    std::uint64_t left_ = 0;
};

} // namespace skerry::depot
