#include "bench/load.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <errno.h>
#include <sys/resource.h>

namespace skerry::bench {

void give_up(const std::string& why) {
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, why.c_str());
    std::exit(1);
}

double milliseconds(Duration duration) { return static_cast<double>(duration / 1us) / 1000.0; }

double quantile(std::vector<Duration> times, double part) {
    if (times.empty()) return 0;
    std::ranges::sort(times);
    return milliseconds(times[std::min(times.size() - 1, static_cast<std::size_t>(part * static_cast<double>(times.size())))]);
}

void raise_descriptors() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &files);
    }
}

std::size_t positive(std::string_view word) {
    std::size_t value = 0;
    auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value == 0)
        give_up("\"" + std::string(word) + "\" is no positive number");
    return value;
}

std::unique_ptr<http::Client> Load::client(const std::string& path) {
    auto known = read_.find(path);
    if (known == read_.end()) {
        auto text = cli::read_file(path);
        if (!text) give_up(text.error().message);
        auto file = cli::parse_kubeconfig(path, *text);
        if (!file) give_up(file.error().message);
        auto chosen = cli::choose_context({*file}, "", [](const std::string& name) { return cli::read_file(name); });
        if (!chosen) give_up(chosen.error().message);
        known = read_.emplace(path, std::move(*chosen)).first;
    }
    const cli::Connection& to = known->second;
    auto made = http::Client::create(loop.context(), {.base = to.server, .tls = to.tls, .authorization = to.authorization});
    if (!made) give_up(made.error().message);
    return std::move(*made);
}

void Load::run(Duration longest, const std::string& what) {
    auto guard = timers.after(longest, [&] { give_up(what + ": not done within " + text(longest)); });
    loop.run();
}

} // namespace skerry::bench
