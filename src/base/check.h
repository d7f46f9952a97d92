#pragma once

#include <string_view>

namespace skerry {

/// Prints where and what, then aborts. A cell that aborts is started again and adopts what runs.
[[noreturn]] void check_failed(const char* file, int line, const char* claim, std::string_view note = {});

} // namespace skerry

/// An invariant of ours, always on. Never for input from outside: that is a Result.
#define CHECK(claim, ...)                                                                                                        \
    do {                                                                                                                         \
        if (!(claim)) [[unlikely]]                                                                                               \
            ::skerry::check_failed(__FILE__, __LINE__, #claim __VA_OPT__(, ) __VA_ARGS__);                                       \
    } while (false)
