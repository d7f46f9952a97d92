#include "oci/runtime/signals.h"

#include <charconv>
#include <csignal>
#include <string>
#include <utility>

namespace skerry::oci {

Result<int> parse_signal(std::string_view text) {
    constexpr std::pair<std::string_view, int> names[] = {
        {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},       {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},
        {"BUS", SIGBUS},   {"FPE", SIGFPE},       {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
        {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT},
        {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},   {"XCPU", SIGXCPU},
        {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},   {"IO", SIGIO},     {"PWR", SIGPWR},
        {"SYS", SIGSYS},
    };
    if (text.empty()) return SIGTERM;
    auto bare = text.starts_with("SIG") ? text.substr(3) : text;
    for (auto& [name, number] : names)
        if (name == bare) return number;
    auto integer = [](std::string_view digits) {
        int value = -1;
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return error == std::errc() && end == digits.data() + digits.size() ? value : -1;
    };
    int number = integer(text);
    // The kernel's numbers, which images mean; the C library keeps 32 and 33 for itself.
    constexpr int first_real_time = 34, last_real_time = 64;
    if (bare == "RTMIN") number = first_real_time;
    if (bare == "RTMAX") number = last_real_time;
    if (bare.starts_with("RTMIN+")) number = integer(bare.substr(6)) < 0 ? -1 : first_real_time + integer(bare.substr(6));
    if (bare.starts_with("RTMAX-")) number = integer(bare.substr(6)) < 0 ? -1 : last_real_time - integer(bare.substr(6));
    if (number < 1 || number > last_real_time || number == 32 || number == 33)
        return fail(Code::invalid, "\"" + std::string(text.substr(0, 40)) + "\" is not a signal (try SIGTERM or 15)");
    return number;
}

} // namespace skerry::oci
