#include "sim/run.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace skerry::sim {

namespace {

const Fleet* playing = nullptr;
const std::string* replaying = nullptr;

void print_end(Fleet const& fleet, const std::string& replay) {
    std::fprintf(stderr, "  the last events:\n");
    for (const auto& past : fleet.agenda().past()) {
        const auto& computer =
            past.cell == 0 || past.cell >= fleet.computers().size() ? nullptr : fleet.computers()[past.cell].get();
        std::fprintf(stderr, "    %-16s %-8s %s", text(past.when).c_str(), std::string(name(past.what)).c_str(),
                     computer ? computer->name.c_str() : "world");
        if (past.detail != 0) std::fprintf(stderr, " (%llu bytes)", static_cast<unsigned long long>(past.detail));
        std::fprintf(stderr, "\n");
    }
    std::fprintf(stderr, "  the story's end:\n");
    const auto& story = fleet.story();
    for (std::size_t n = story.size() > 25 ? story.size() - 25 : 0; n < story.size(); ++n)
        std::fprintf(stderr, "    %s\n", story[n].c_str());
    std::fprintf(stderr, "  again: %s\n", replay.c_str());
}

/// A broken invariant inside a cell ends the process: say which run it was.
extern "C" void aborted(int) {
    std::signal(SIGABRT, SIG_DFL);
    if (playing && replaying) print_end(*playing, *replaying);
    std::abort();
}

} // namespace

Outcome run(std::uint64_t seed, bool verbose, const std::string& replay, const std::function<void(Fleet&)>& play,
            bool expects_violation) {
    Outcome outcome;
    Fleet fleet(seed);
    fleet.verbose = verbose;
    playing = &fleet;
    replaying = &replay;
    std::signal(SIGABRT, aborted);
    play(fleet);
    outcome.hash = fleet.agenda().hash();
    outcome.events = fleet.agenda().delivered();
    outcome.virtual_time = fleet.now();
    outcome.sites = fleet.sites().size();
    outcome.partitions = fleet.network().partitions();
    outcome.severed = fleet.network().severed();
    outcome.violation = fleet.violation();
    if (outcome.violation && !expects_violation) {
        std::fprintf(stderr, "seed %llu: %s fails at %s: %s\n", static_cast<unsigned long long>(seed),
                     outcome.violation->check.c_str(), text(outcome.violation->when).c_str(), outcome.violation->message.c_str());
        print_end(fleet, replay);
    }
    std::signal(SIGABRT, SIG_DFL);
    playing = nullptr;
    return outcome;
}

} // namespace skerry::sim
