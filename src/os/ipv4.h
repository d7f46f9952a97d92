#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::os {

struct Ipv4 {
    std::uint32_t number = 0; ///< in host order
    auto operator<=>(const Ipv4&) const = default;
};
/// Four decimal numbers; nothing shorter, no leading zeros.
Result<Ipv4> parse_ipv4(std::string_view text);
std::string text(Ipv4);

struct Subnet {
    Ipv4 first;
    int bits = 32; ///< length of the prefix

    std::uint32_t mask() const { return bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits); }
    bool contains(Ipv4 address) const { return ((address.number ^ first.number) & mask()) == 0; }
    bool overlaps(const Subnet& other) const { return bits <= other.bits ? contains(other.first) : other.contains(first); }
    Ipv4 at(std::uint32_t offset) const { return {first.number + offset}; }
    auto operator<=>(const Subnet&) const = default;
};
/// "10.0.0.0/8". Bits below the prefix are cleared.
Result<Subnet> parse_subnet(std::string_view text);
std::string text(Subnet);

} // namespace skerry::os
