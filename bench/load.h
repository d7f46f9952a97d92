#pragma once

#include "cli/client/client.h"
#include "cli/client/kubeconfig.h"
#include "env/real/loop.h"
#include "env/real/real_clock.h"
#include "env/real/real_timers.h"
#include "http/client.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::bench {

/// Says why on standard error and ends the program.
[[noreturn]] void give_up(const std::string& why);

double milliseconds(Duration);
/// In milliseconds.
double quantile(std::vector<Duration> times, double part);

/// As many descriptors as the machine gives.
void raise_descriptors();
/// Of the command line; anything but a positive number ends the program.
std::size_t positive(std::string_view word);

/// One loop, and as many connections as a bench wants to cells, each of which a kubeconfig tells of.
class Load {
public:
    std::unique_ptr<http::Client> client(const std::string& kubeconfig);
    Instant now() const { return clock_.now(); }
    /// Runs until `loop` is stopped; gives up when that takes longer than `longest`.
    void run(Duration longest, const std::string& what);

    env::Loop loop;
    env::RealTimers timers{loop};

private:
    env::RealClock clock_;
    std::map<std::string, cli::Connection> read_;
};

} // namespace skerry::bench
