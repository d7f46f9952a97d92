#pragma once
#include <cstdlib>

// How long tests of chance go on.
namespace skerry::test {

/// SKERRY_THOROUGH=1 in the environment: whoever waits for hours wants more of the same.
inline bool thorough() { return std::getenv("SKERRY_THOROUGH") != nullptr; }

/// A quarter of the seeds under the sanitizers: they take ten times as long, and what they look for shows in the first.
inline int seeds(int usual) {
#if defined(__SANITIZE_ADDRESS__)
    constexpr int part = 4;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    constexpr int part = 4;
#else
    constexpr int part = 1;
#endif
#else
    constexpr int part = 1;
#endif
    return thorough() ? usual * 40 : (usual + part - 1) / part;
}

} // namespace skerry::test
