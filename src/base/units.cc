#include "base/units.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace skerry {

namespace {

struct Unit {
    std::string_view suffix;
    long double factor;
};

constexpr std::array units{
    Unit{"Ki", 1024.0L},
    Unit{"Mi", 1048576.0L},
    Unit{"Gi", 1073741824.0L},
    Unit{"Ti", 1099511627776.0L},
    Unit{"Pi", 1125899906842624.0L},
    Unit{"m", 1e-3L},
    Unit{"k", 1e3L},
    Unit{"M", 1e6L},
    Unit{"G", 1e9L},
    Unit{"T", 1e12L},
    Unit{"P", 1e15L},
    Unit{"", 1.0L},
};

/// `text` in thousandths.
Result<long double> parse_quantity(std::string_view text, std::string_view example) {
    auto refuse = [&] {
        return fail(Code::invalid, "\"" + std::string(text) + "\" is not a quantity (try " + std::string(example) + ")");
    };
    if (text.empty() || text.size() > 32 || text.find('\0') != std::string_view::npos ||
        !(text[0] == '.' || (text[0] >= '0' && text[0] <= '9')))
        return refuse();
    if (text.size() > 1 && (text[1] == 'x' || text[1] == 'X')) return refuse();
    std::string copy(text);
    char* end = nullptr;
    long double value = std::strtold(copy.c_str(), &end);
    for (const Unit& unit : units)
        if (unit.suffix == end) {
            value *= unit.factor * 1000;
            if (value > 9e18L) return refuse();
            return value;
        }
    return refuse();
}

} // namespace

Result<MilliCpu> parse_cpu(std::string_view text) {
    return MilliCpu{static_cast<std::int64_t>(std::ceil(TRY(parse_quantity(text, "500m or 2"))))};
}

Result<Bytes> parse_bytes(std::string_view text) {
    return Bytes{static_cast<std::int64_t>(std::ceil(TRY(parse_quantity(text, "128Mi or 1Gi")) / 1000))};
}

std::string text(MilliCpu cpu) {
    return cpu.count % 1000 == 0 ? std::to_string(cpu.count / 1000) : std::to_string(cpu.count) + "m";
}

std::string text(Bytes bytes) {
    static constexpr std::array<const char*, 6> names{"", "Ki", "Mi", "Gi", "Ti", "Pi"};
    std::size_t unit = 0;
    std::int64_t count = bytes.count;
    while (count != 0 && count % 1024 == 0 && unit + 1 < names.size()) count /= 1024, ++unit;
    return std::to_string(count) + names[unit];
}

std::string rounded(Bytes bytes) {
    static constexpr std::array<const char*, 6> names{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double count = static_cast<double>(bytes.count);
    std::size_t unit = 0;
    while (count >= 1024 && unit + 1 < names.size()) count /= 1024, ++unit;
    char out[40];
    std::snprintf(out, sizeof out, unit ? "%.1f %s" : "%.0f %s", count, names[unit]);
    return out;
}

Result<std::int64_t> parse_share(std::string_view text, std::int64_t whole) {
    auto refuse = [&] {
        return fail(Code::invalid, "\"" + std::string(text) + "\" is neither a count nor a percentage (try 1 or 10%)");
    };
    bool percent = text.ends_with('%');
    std::string_view digits = percent ? text.substr(0, text.size() - 1) : text;
    if (digits.empty() || digits.size() > 9) return refuse();
    std::int64_t count = 0;
    for (char c : digits) {
        if (c < '0' || c > '9') return refuse();
        count = count * 10 + (c - '0');
    }
    if (!percent) return count;
    if (count > 100) return refuse();
    return (count * whole + 99) / 100;
}

} // namespace skerry
