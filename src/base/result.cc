#include "base/result.h"

#include "base/check.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace skerry {

std::string_view name(Code code) {
    switch (code) {
    case Code::invalid:
        return "invalid";
    case Code::not_found:
        return "not found";
    case Code::exists:
        return "exists";
    case Code::conflict:
        return "conflict";
    case Code::gone:
        return "gone";
    case Code::forbidden:
        return "forbidden";
    case Code::unauthenticated:
        return "unauthenticated";
    case Code::unavailable:
        return "unavailable";
    case Code::exhausted:
        return "exhausted";
    case Code::timeout:
        return "timeout";
    case Code::unsupported:
        return "unsupported";
    case Code::corrupt:
        return "corrupt";
    case Code::cancelled:
        return "cancelled";
    case Code::internal:
        return "internal";
    }
    return "internal";
}

namespace {

Code code_of(int number) {
    switch (number) {
    case ENOENT:
    case ESRCH:
        return Code::not_found;
    case EEXIST:
        return Code::exists;
    case EACCES:
    case EPERM:
        return Code::forbidden;
    case ENOSPC:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
        return Code::exhausted;
    case EAGAIN:
    case EBUSY:
    case ECONNREFUSED:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EPIPE:
        return Code::unavailable;
    case ETIMEDOUT:
        return Code::timeout;
    case EINVAL:
    case ENAMETOOLONG:
        return Code::invalid;
    case ENOSYS:
    case EOPNOTSUPP:
        return Code::unsupported;
    default:
        return Code::internal;
    }
}

} // namespace

std::unexpected<Error> fail_errno(std::string_view doing) { return fail_errno(doing, errno); }

std::unexpected<Error> fail_errno(std::string_view doing, int number) {
    return fail(code_of(number), std::string(doing) + ": " + std::strerror(number));
}

void check_failed(const char* file, int line, const char* claim, std::string_view note) {
    std::fprintf(stderr, "%s:%d: broken invariant: %s%s%.*s\n", file, line, claim, note.empty() ? "" : ": ",
                 static_cast<int>(note.size()), note.data());
    std::fflush(stderr);
    std::abort();
}

} // namespace skerry
