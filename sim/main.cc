#include "base/log.h"
#include "env/real/real_clock.h"
#include "sim/checks/checks.h"
#include "sim/checks/plants.h"
#include "sim/checks/shrink.h"
#include "sim/run.h"
#include "sim/scenario.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

/// skerry-sim: the fleet simulator.
namespace skerry::sim {

namespace {

Duration processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1s + Duration(time.tv_nsec);
}

struct Wishes {
    std::string scenario = "all";
    std::string plant; ///< or "all"
    std::uint64_t seeds = 10, first = 1;
    Duration spend{}; ///< of wall time: seeds from the first on, until it is over
    bool twice = false, verbose = false, list = false, shrinks = true;
    Size size;
};

constexpr std::size_t most_tries = 150;

constexpr std::string_view usage =
    "skerry-sim [--scenario NAME|all] [--seeds N] [--seed K] [--for SECONDS] [--twice] [--plant NAME|all] [--list] [-v]\n"
    "           [--sites N] [--hours H] [--minutes M] [--without KIND] [--with KIND] [--only KIND:N,...|none] [--trace FILE]\n"
    "           [--no-shrink] [--broken]\n";

/// The words that stand before a value; false: no such word, or no such value.
bool take(Wishes& wishes, std::string_view word, std::string_view value) {
    auto& size = wishes.size;
    if (word == "--scenario") return wishes.scenario = value, true;
    if (word == "--plant") return wishes.plant = value, true;
    if (word == "--without") return size.without.emplace(value), find_hazard(value) != nullptr;
    if (word == "--with") return size.with.emplace(value), find_hazard(value) != nullptr;
    if (word == "--only") {
        size.only = parse_events(value == "none" ? "" : value);
        return size.only.has_value();
    }
    if (word == "--trace") {
        auto trace = Trace::read(std::string(value));
        if (!trace) return std::fprintf(stderr, "--trace: %s\n", trace.error().message.c_str()), false;
        size.trace = *trace;
        size.trace_path = value;
        return true;
    }
    std::uint64_t number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || number > 1'000'000'000'000) return false;
    auto count = static_cast<std::int64_t>(number);
    if (word == "--seeds") return wishes.seeds = number, true;
    if (word == "--seed") return wishes.first = number, true;
    if (word == "--sites") return size.sites = number, true;
    if (count > 1'000'000) return false;
    if (word == "--for") return wishes.spend = count * 1s, true;
    if (word == "--hours") return size.lasts = count * 1h, true;
    if (word == "--minutes") return size.lasts = count * 1min, true;
    return false;
}

std::optional<Wishes> parse(int count, char** words) {
    Wishes wishes;
    wishes.size.processor_time = processor_time;
    bool one = false, many = false;
    for (int n = 1; n < count; ++n) {
        std::string_view word = words[n];
        if (word == "--twice") {
            wishes.twice = true;
        } else if (word == "-v") {
            wishes.verbose = true;
        } else if (word == "--list") {
            wishes.list = true;
        } else if (word == "--no-shrink") {
            wishes.shrinks = false;
        } else if (word == "--broken") {
            wishes.size.cut_kills = true;
        } else {
            if (n + 1 == count || !take(wishes, word, words[n + 1])) return std::nullopt;
            one |= word == "--seed";
            many |= word == "--seeds" || word == "--for";
            ++n;
        }
    }
    if (one && !many) wishes.seeds = 1;
    return wishes;
}

void print_shrunk(const Wishes& wishes, const Scenario& scenario, std::uint64_t seed) {
    std::fprintf(stderr, "  shrinking it (at most %zu tries) ...\n", most_tries);
    Shrunk shrunk = shrink(scenario, seed, wishes.size, most_tries);
    if (shrunk.check.empty()) return;
    std::fprintf(stderr, "  %s also fails with %zu events of weather (%zu tries): %s\n", shrunk.check.c_str(), shrunk.events,
                 shrunk.tries, replay_of(scenario.name, seed, shrunk.size).c_str());
}

/// How many runs broke a promise.
std::uint64_t play(const Wishes& wishes, const Scenario& scenario, const env::Clock& clock) {
    Instant began = clock.now();
    std::uint64_t violations = 0, events = 0, partitions = 0, severed = 0, seeds = 0;
    Duration passed{};
    double site_seconds = 0;
    std::uint64_t most = scenario.in_all ? wishes.seeds : 1;
    auto goes_on = [&] {
        return wishes.spend > Duration(0) ? clock.now() - began < wishes.spend && violations == 0 : seeds < most;
    };
    for (std::uint64_t seed = wishes.first; goes_on(); ++seed) {
        auto once = [&] {
            return run(seed, wishes.verbose, replay_of(scenario.name, seed, wishes.size),
                       [&](Fleet& fleet) { scenario.play(fleet, wishes.size); });
        };
        Outcome outcome = once();
        ++seeds;
        violations += outcome.violation.has_value();
        events += outcome.events;
        partitions += outcome.partitions;
        severed += outcome.severed;
        passed += outcome.virtual_time;
        site_seconds += static_cast<double>(outcome.sites) * static_cast<double>(outcome.virtual_time / 1s);
        if (outcome.violation && wishes.shrinks && !wishes.verbose) print_shrunk(wishes, scenario, seed);
        if (!wishes.twice || outcome.violation) continue;
        Outcome second = once();
        if (second.hash == outcome.hash && second.events == outcome.events) continue;
        ++violations;
        std::fprintf(stderr, "seed %llu of %s is not repeatable: %llu events with hash %016llx, then %llu with %016llx\n",
                     static_cast<unsigned long long>(seed), std::string(scenario.name).c_str(),
                     static_cast<unsigned long long>(outcome.events), static_cast<unsigned long long>(outcome.hash),
                     static_cast<unsigned long long>(second.events), static_cast<unsigned long long>(second.hash));
    }
    double wall = static_cast<double>((clock.now() - began).count()) / 1e9;
    std::printf("%-28s %4llu seeds%s  %10s virtual  %10llu events  %8llu partitions (%llu severed)  %8.1f s  %llu violations\n",
                std::string(scenario.name).c_str(), static_cast<unsigned long long>(seeds), wishes.twice ? " twice" : "",
                text(passed / 1s * 1s).c_str(), static_cast<unsigned long long>(events),
                static_cast<unsigned long long>(partitions), static_cast<unsigned long long>(severed), wall,
                static_cast<unsigned long long>(violations));
    if (!scenario.in_all) std::printf("%.0f virtual seconds x sites per wall second\n", site_seconds / wall);
    std::fflush(stdout);
    return violations;
}

/// True if the planted bug was found, by the check of its name.
bool find(const Wishes& wishes, const Plant& plant) {
    std::string again = "skerry-sim --plant " + std::string(plant.check) + " --seed " + std::to_string(wishes.first) + " -v";
    Outcome outcome = run(wishes.first, wishes.verbose, again, plant.play, true);
    bool found = outcome.violation && outcome.violation->check == plant.check;
    std::printf("%-28s %s: %s\n", std::string(plant.check).c_str(), found ? "fails as it should" : "NOT FOUND",
                std::string(plant.bug).c_str());
    if (outcome.violation)
        std::printf("%-28s   %s%s\n", "", found ? "" : (outcome.violation->check + ": ").c_str(),
                    outcome.violation->message.c_str());
    std::fflush(stdout);
    return found;
}

/// Shrinking itself: a run of full weather in which cuts kill what runs comes down to a handful of events.
bool find_smallest(const Wishes& wishes) {
    Size size;
    size.cut_kills = true;
    size.with = {"cuts"};
    size.lasts = 30min;
    Shrunk shrunk = shrink(*find_scenario("weather"), wishes.first, size, most_tries);
    bool found = shrunk.check == "cut-site-keeps-running" && shrunk.events <= 4;
    std::printf("%-28s %s: a seed fails %s; shrunk to %zu events of weather in %zu tries: %s\n", "shrink",
                found ? "works as it should" : "DOES NOT", shrunk.check.empty() ? "nothing" : shrunk.check.c_str(), shrunk.events,
                shrunk.tries, replay_of("weather", wishes.first, shrunk.size).c_str());
    return found;
}

int run_all(const Wishes& wishes) {
    if (wishes.list) {
        for (const auto& one : scenarios())
            std::printf("scenario %-28s %s%s\n", std::string(one.name).c_str(), std::string(one.about).c_str(),
                        one.in_all ? "" : " (only by name)");
        for (const auto& one : hazards())
            std::printf("weather  %s%s\n", std::string(one.name).c_str(), one.in_swarm ? "" : " (only --with)");
        for (const auto& one : plants())
            std::printf("check    %-28s planted bug: %s\n", std::string(one.check).c_str(), std::string(one.bug).c_str());
        return 0;
    }
    if (wishes.plant == "all") {
        // Here success is that each bug is found.
        int missed = 0;
        for (const auto& one : plants()) missed += !find(wishes, one);
        for (const auto& check : Checks::names())
            if (!find_plant(check)) {
                std::printf("%-28s HAS NO PLANT: nothing proves that this check can fail\n", std::string(check).c_str());
                ++missed;
            }
        missed += !find_smallest(wishes);
        return missed > 0 ? 1 : 0;
    }
    if (!wishes.plant.empty()) {
        const Plant* one = find_plant(wishes.plant);
        if (!one) {
            std::fprintf(stderr, "--plant: no check is called %s (see --list)\n", wishes.plant.c_str());
            return 2;
        }
        return find(wishes, *one) ? 1 : 0; // the run fails, as every run with a broken promise
    }
    if (wishes.scenario != "all" && !find_scenario(wishes.scenario)) {
        std::fprintf(stderr, "--scenario: there is no %s (see --list)\n", wishes.scenario.c_str());
        return 2;
    }
    env::RealClock clock;
    std::uint64_t violations = 0;
    for (const auto& one : scenarios())
        if (wishes.scenario == one.name || (wishes.scenario == "all" && one.in_all)) violations += play(wishes, one, clock);
    return violations > 0 ? 1 : 0;
}

} // namespace

} // namespace skerry::sim

int main(int count, char** words) {
    auto wishes = skerry::sim::parse(count, words);
    if (!wishes) {
        std::fprintf(stderr, "%s", std::string(skerry::sim::usage).c_str());
        return 2;
    }
    // Cells complain of the weather all the time; the story says what matters.
    skerry::log_from(wishes->verbose ? skerry::Level::error
                                     : static_cast<skerry::Level>(static_cast<int>(skerry::Level::error) + 1));
    return skerry::sim::run_all(*wishes);
}
