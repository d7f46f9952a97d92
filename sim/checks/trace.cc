#include "sim/checks/trace.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace skerry::sim {

namespace {

constexpr std::int64_t packet = 1500;
constexpr std::size_t most_seconds = 400'000;

std::string_view take_line(std::string_view& text) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

std::vector<std::string_view> cells(std::string_view line) {
    std::vector<std::string_view> list;
    for (std::size_t at = 0; at <= line.size();) {
        std::size_t comma = std::min(line.find(',', at), line.size());
        list.push_back(line.substr(at, comma - at));
        at = comma + 1;
    }
    return list;
}

/// Zero for what is no number: recordings have holes, and a hole is an outage.
double number(const std::vector<std::string_view>& row, std::size_t column) {
    double value = 0;
    if (column < row.size()) std::from_chars(row[column].data(), row[column].data() + row[column].size(), value);
    return std::clamp(value, 0.0, 1e9);
}

} // namespace

Result<std::shared_ptr<const Trace>> Trace::read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Code::not_found, "trace " + path + " cannot be read");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    return parse(text) | during("trace " + path);
}

Result<std::shared_ptr<const Trace>> Trace::parse(std::string_view text) {
    auto trace = std::make_shared<Trace>();
    auto& seconds = trace->seconds_;
    std::string_view rest = text;
    auto header = cells(take_line(rest));
    auto column = [&](std::string_view name) {
        return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
    };
    std::size_t down = column("DL_bitrate"), up = column("UL_bitrate"), ping = column("pop_ping_ms"), drops = column("drop_rate");
    bool has_rates = std::max(down, up) < header.size(), has_pings = std::max(ping, drops) < header.size();
    if (has_rates || has_pings) {
        while (!rest.empty() && seconds.size() < most_seconds) {
            auto row = cells(take_line(rest));
            Second& second = seconds.emplace_back();
            if (has_rates)
                second.bytes = {static_cast<std::int64_t>(number(row, up) * 125),
                                static_cast<std::int64_t>(number(row, down) * 125)};
            if (has_pings) {
                second.delay = Duration(static_cast<std::int64_t>(number(row, ping) * 500'000));
                second.loss = std::min(number(row, drops), 1.0);
            }
        }
    } else {
        for (rest = text; !rest.empty();) {
            auto line = take_line(rest);
            std::uint64_t ms = 0;
            auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), ms);
            if (line.empty()) continue;
            if (error != std::errc{} || end != line.data() + line.size() || ms / 1000 >= most_seconds)
                return fail(Code::invalid,
                            "line \"" + std::string(line.substr(0, 40)) +
                                "\" is neither a time in milliseconds nor the header of a known recording (unpack it first)");
            if (seconds.size() <= ms / 1000) seconds.resize(ms / 1000 + 1, Second{.bytes = {0, 0}});
            for (auto& bytes : seconds[ms / 1000].bytes) bytes += packet;
        }
    }
    bool flows[2] = {};
    for (const Second& second : seconds)
        for (std::size_t side : {0U, 1U}) flows[side] |= second.bytes[side] != 0;
    if (!flows[0] || !flows[1]) return fail(Code::invalid, "it carries nothing in one direction, or at all");
    return trace;
}

Duration Trace::leaves(Duration at, int side, std::size_t bytes) const {
    auto left = static_cast<std::int64_t>(bytes);
    while (true) {
        std::int64_t rate = second(at).bytes[static_cast<std::size_t>(side)];
        if (rate < 0) return at;
        Duration until = at / 1s * 1s + 1s - at;
        std::int64_t fits = rate * (until.count() / 1000) / 1'000'000;
        if (rate > 0 && fits >= left) return at + Duration(left * 1'000'000'000 / rate);
        left -= fits;
        at += until;
    }
}

} // namespace skerry::sim
