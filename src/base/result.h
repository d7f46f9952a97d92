#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace skerry {

/// What went wrong, in as many words as a caller could sensibly react to. `http/status.h` maps each to an HTTP status.
enum class Code {
    invalid,         ///< the input breaks a rule; the message names field, value and remedy
    not_found,       ///< no such object, file or peer
    exists,          ///< a name is taken
    conflict,        ///< a precondition (version, uid, state) no longer holds; read again and retry
    gone,            ///< a cursor or version is older than what is kept
    forbidden,       ///< known caller, not allowed
    unauthenticated, ///< unknown caller
    unavailable,     ///< not now: a peer or service is away; a later try may succeed
    exhausted,       ///< a bound is reached: room, queue, size
    timeout,         ///< a deadline passed
    unsupported,     ///< understood, but not offered by this build, driver or machine
    corrupt,         ///< bytes do not match their checksum or digest
    cancelled,       ///< whoever asked has gone
    internal,        ///< a bug of ours, or a system call that has no business failing
};

std::string_view name(Code);

/// Code and message; the message reads on its own and grows context on its way up (see `during`).
struct Error {
    Code code = Code::internal;
    std::string message;
};

template<class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string message) {
    return std::unexpected(Error{code, std::move(message)});
}

/// Error from errno: `fail_errno("open /etc/x")` → "open /etc/x: No such file or directory", with the code that fits.
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view doing);
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view doing, int number);

/// What was being done when an error passed by: `TRY(attach(v) | during("attach volume v-17"))`.
struct during {
    std::string_view what;
};

template<class T>
Result<T> operator|(Result<T> result, during context) {
    if (!result) result.error().message = std::string(context.what) + ": " + result.error().message;
    return result;
}

} // namespace skerry

/// The value of a Result, or return its error from this function.
#define TRY(...)                                                                                                                 \
    __extension__({                                                                                                              \
        auto try_result_ = (__VA_ARGS__);                                                                                        \
        if (!try_result_) return std::unexpected(std::move(try_result_).error());                                                \
        std::move(try_result_).operator*();                                                                                      \
    })

/// The same for Result<void>, as a statement.
#define TRY_VOID(...)                                                                                                            \
    do {                                                                                                                         \
        auto try_result_ = (__VA_ARGS__);                                                                                        \
        if (!try_result_) return std::unexpected(std::move(try_result_).error());                                                \
    } while (false)
