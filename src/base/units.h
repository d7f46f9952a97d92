#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry {

/// Thousandths of a core.
struct MilliCpu {
    std::int64_t count = 0;
    auto operator<=>(const MilliCpu&) const = default;
};

struct Bytes {
    std::int64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
};

/// Kubernetes quantities: `500m`, `2`, `0.5` for processors; `128Mi`, `1Gi`, `1500k`, `1e9` for bytes. Negative ones are
/// `invalid`.
Result<MilliCpu> parse_cpu(std::string_view text);
Result<Bytes> parse_bytes(std::string_view text);
std::string text(MilliCpu);
/// With the largest binary unit that divides evenly.
std::string text(Bytes);
/// For people: `1.4 MiB`.
std::string rounded(Bytes);

/// `3` or `10%` of `whole`, rounded up to at least one where the text is not zero.
Result<std::int64_t> parse_share(std::string_view text, std::int64_t whole);

} // namespace skerry
