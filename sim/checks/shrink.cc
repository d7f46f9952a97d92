#include "sim/checks/shrink.h"

#include "sim/run.h"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace skerry::sim {

namespace {

struct Try {
    std::string check;
    Events events; ///< up to the failure
    std::size_t sites = 0;
    Duration lasted{};
};

void write_all(int fd, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        ssize_t wrote = ::write(fd, text.data() + at, text.size() - at);
        if (wrote <= 0) return;
        at += static_cast<std::size_t>(wrote);
    }
}

/// What happened so far goes ahead of what may end the process.
Try run_apart(const Scenario& scenario, std::uint64_t seed, const Size& size) {
    int ends[2];
    if (::pipe(ends) != 0) return {};
    std::fflush(nullptr);
    pid_t child = ::fork();
    if (child == 0) {
        int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDERR_FILENO);
        Outcome outcome = run(seed, false, {}, [&](Fleet& fleet) {
            fleet.report_events = [out = ends[1]](const HazardEvent& event) {
                write_all(out, std::string(event.kind) + ":" + std::to_string(event.n) + "\n");
            };
            scenario.play(fleet, size);
        });
        write_all(ends[1], "end " + std::to_string(outcome.sites) + " " + std::to_string(outcome.virtual_time / 1s) + " " +
                               (outcome.violation ? outcome.violation->check : "") + "\n");
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    Try found;
    if (WIFSIGNALED(status)) found.check = "abort";
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = text.find('\n', at);
        if (end == std::string::npos) break;
        std::string line = text.substr(at, end - at);
        at = end + 1;
        if (line.starts_with("end ")) {
            std::size_t space = line.find(' ', 4), last = line.find(' ', space + 1);
            found.sites = std::stoul(line.substr(4, space - 4));
            found.lasted = std::stol(line.substr(space + 1, last - space - 1)) * 1s;
            found.check = line.substr(last + 1);
        } else if (auto events = parse_events(line)) {
            found.events.merge(*events);
        }
    }
    return found;
}

} // namespace

std::string text_of(const Events& events) {
    std::string text;
    for (const auto& [kind, n] : events) text += (text.empty() ? "" : ",") + kind + ":" + std::to_string(n);
    return text;
}

std::optional<Events> parse_events(std::string_view text) {
    Events events;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = std::min(text.find(',', at), text.size());
        std::string_view one = text.substr(at, end - at);
        at = end + 1;
        std::size_t colon = one.find(':');
        if (colon == std::string_view::npos || !find_hazard(one.substr(0, colon))) return {};
        std::uint32_t n = 0;
        auto [last, error] = std::from_chars(one.data() + colon + 1, one.data() + one.size(), n);
        if (error != std::errc{} || last != one.data() + one.size()) return {};
        events.emplace(one.substr(0, colon), n);
    }
    return events;
}

std::string replay_of(std::string_view scenario, std::uint64_t seed, const Size& size) {
    std::string command = "skerry-sim --scenario " + std::string(scenario) + " --seed " + std::to_string(seed);
    if (size.sites > 0) command += " --sites " + std::to_string(size.sites);
    if (size.lasts > Duration(0)) command += " --minutes " + std::to_string(size.lasts / 1min);
    if (size.cut_kills) command += " --broken";
    if (!size.trace_path.empty()) command += " --trace " + size.trace_path;
    for (const auto& kind : size.without) command += " --without " + kind;
    for (const auto& kind : size.with) command += " --with " + kind;
    if (size.only) command += " --only " + (size.only->empty() ? "none" : text_of(*size.only));
    return command + " -v";
}

Shrunk shrink(const Scenario& scenario, std::uint64_t seed, const Size& size, std::size_t most_tries) {
    Shrunk shrunk{.size = size};
    Try first = run_apart(scenario, seed, size);
    shrunk.tries = 1;
    if (first.check.empty()) return shrunk;
    shrunk.check = first.check;
    auto fails = [&](const Size& smaller) {
        if (shrunk.tries >= most_tries) return false;
        ++shrunk.tries;
        if (run_apart(scenario, seed, smaller).check != shrunk.check) return false;
        shrunk.size = smaller;
        return true;
    };
    auto with_events = [&](Events events) {
        Size smaller = shrunk.size;
        smaller.only = std::move(events);
        return smaller;
    };
    // Only what happened before the failure; where that alone does not fail, nothing here is about single events.
    shrunk.events = first.events.size();
    if (!fails(with_events(first.events))) return shrunk;
    for (std::size_t sites = 1; sites < first.sites; ++sites) {
        Size smaller = shrunk.size;
        smaller.sites = sites;
        if (fails(smaller)) break;
    }
    std::set<std::string> kinds;
    for (const auto& [kind, n] : *shrunk.size.only) kinds.insert(kind);
    for (const auto& kind : kinds) {
        Events fewer = *shrunk.size.only;
        std::erase_if(fewer, [&](const auto& event) { return event.first == kind; });
        fails(with_events(fewer));
    }
    // Halves, quarters, and so on, until single events.
    for (std::size_t piece = (shrunk.size.only->size() + 1) / 2; piece > 0; piece = piece == 1 ? 0 : (piece + 1) / 2) {
        for (std::size_t from = 0; from < shrunk.size.only->size();) {
            Events fewer;
            std::size_t n = 0;
            for (const auto& event : *shrunk.size.only) {
                if (n < from || n >= from + piece) fewer.insert(event);
                ++n;
            }
            if (!fails(with_events(fewer))) from += piece;
        }
    }
    for (Duration lasts = first.lasted / 2 / 1min * 1min; lasts >= 1min; lasts = lasts / 2 / 1min * 1min) {
        Size smaller = shrunk.size;
        smaller.lasts = lasts;
        if (!fails(smaller)) break;
    }
    shrunk.events = shrunk.size.only->size();
    return shrunk;
}

} // namespace skerry::sim
