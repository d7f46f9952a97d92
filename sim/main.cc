#include "base/log.h"
#include "env/real/real_clock.h"
#include "sim/plants.h"
#include "sim/run.h"
#include "sim/scenario.h"

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

/// skerry-sim: the fleet simulator.
namespace skerry::sim {

namespace {

struct Wishes {
    std::string scenario = "all";
    std::string plant; ///< or "all"
    std::uint64_t seeds = 10, first = 1;
    bool twice = false, verbose = false, list = false;
    Size size;
};

constexpr std::string_view usage = "skerry-sim [--scenario NAME|all] [--seeds N] [--seed K] [--twice] [--plant NAME|all] "
                                   "[--sites N] [--hours H] [--list] [-v]\n";

std::optional<Wishes> parse(int count, char** words) {
    Wishes wishes;
    auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
        return value;
    };
    for (int n = 1; n < count; ++n) {
        std::string_view word = words[n];
        if (word == "--twice")
            wishes.twice = true;
        else if (word == "-v")
            wishes.verbose = true;
        else if (word == "--list")
            wishes.list = true;
        else if (n + 1 == count)
            return std::nullopt;
        else if (word == "--scenario")
            wishes.scenario = words[++n];
        else if (word == "--plant")
            wishes.plant = words[++n];
        else {
            auto value = number(words[++n]);
            if (!value) return std::nullopt;
            if (word == "--seeds")
                wishes.seeds = *value;
            else if (word == "--seed")
                wishes.first = *value, wishes.seeds = 1;
            else if (word == "--sites")
                wishes.size.sites = *value;
            else if (word == "--hours")
                wishes.size.lasts = static_cast<std::int64_t>(*value) * 1h;
            else
                return std::nullopt;
        }
    }
    return wishes;
}

std::string replay(const Wishes& wishes, std::string_view scenario, std::uint64_t seed) {
    std::string command = "skerry-sim --scenario " + std::string(scenario) + " --seed " + std::to_string(seed);
    if (wishes.size.sites > 0) command += " --sites " + std::to_string(wishes.size.sites);
    if (wishes.size.lasts > Duration(0)) command += " --hours " + std::to_string(wishes.size.lasts / 1h);
    return command + " -v";
}

/// How many runs broke a promise.
std::uint64_t play(const Wishes& wishes, const Scenario& scenario, const env::Clock& clock) {
    Instant began = clock.now();
    std::uint64_t violations = 0, events = 0;
    Duration passed{};
    double site_seconds = 0;
    std::uint64_t seeds = scenario.in_all ? wishes.seeds : 1;
    for (std::uint64_t seed = wishes.first; seed < wishes.first + seeds; ++seed) {
        auto once = [&] {
            return run(seed, wishes.verbose, replay(wishes, scenario.name, seed),
                       [&](Fleet& fleet) { scenario.play(fleet, wishes.size); });
        };
        Outcome outcome = once();
        violations += outcome.violation.has_value();
        events += outcome.events;
        passed += outcome.virtual_time;
        site_seconds += static_cast<double>(outcome.sites) * static_cast<double>(outcome.virtual_time / 1s);
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
    std::printf("%-28s %4llu seeds%s  %10s virtual  %10llu events  %8.1f s  %llu violations\n",
                std::string(scenario.name).c_str(), static_cast<unsigned long long>(seeds), wishes.twice ? " twice" : "",
                text(passed / 1s * 1s).c_str(), static_cast<unsigned long long>(events), wall,
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

int run_all(const Wishes& wishes) {
    if (wishes.list) {
        for (const auto& one : scenarios())
            std::printf("scenario %-28s %s\n", std::string(one.name).c_str(), std::string(one.about).c_str());
        for (const auto& one : plants())
            std::printf("check    %-28s planted bug: %s\n", std::string(one.check).c_str(), std::string(one.bug).c_str());
        return 0;
    }
    if (wishes.plant == "all") {
        // Here success is that each bug is found.
        int missed = 0;
        for (const auto& one : plants()) missed += !find(wishes, one);
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
