#include "drivers/container/unpack_main.h"

#include "oci/digest.h"
#include "oci/layers/tar_stream.h"
#include "os/process.h"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace skerry::drivers::container {

namespace {

constexpr int layer_descriptor = 3;
constexpr std::int64_t unpack_reserve = 64 << 20;
/// Exit codes from here on are this plus the error's `Code`.
constexpr int first_error_code = 64;

void bound_memory() {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKERRY_ASAN
#endif
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(SKERRY_ASAN)
    constexpr rlim_t most = rlim_t{1} << 30; // zstd's largest accepted window is 128 MiB
    rlimit limit{most, most};
    (void)::setrlimit(RLIMIT_AS, &limit);
#endif
    rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &none);
}

/// What may be taken of the file system of an open folder, so that its last bytes stay for who must go on there.
Result<std::int64_t> room_beside(int folder, std::int64_t kept) {
    struct statvfs found {};
    if (::fstatvfs(folder, &found) < 0) return fail_errno("room on the disk");
    auto free = static_cast<std::int64_t>(found.f_bavail * found.f_frsize);
    return std::max<std::int64_t>(free - kept, 0);
}

Result<void> unpack(std::span<const std::string> args) {
    std::string folder;
    oci::UnpackOptions options;
    for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
        if (args[i] == "--into") folder = args[i + 1];
        if (args[i] == "--diff-id") options.diff_id = args[i + 1];
        if (args[i] == "--blob") options.blob = args[i + 1];
    }
    TRY_VOID(oci::check_digest("--diff-id", options.diff_id));
    TRY_VOID(oci::check_digest("--blob", options.blob));
    os::Fd into = TRY(os::open(folder, O_RDONLY | O_DIRECTORY));
    oci::FdSource layer(layer_descriptor);
    const std::int64_t room = TRY(room_beside(into.number(), unpack_reserve));
    const bool is_short = room < options.limits.bytes;
    if (is_short) options.limits.bytes = room;
    auto unpacked = oci::unpack_layer(layer, into.number(), options);
    if (!unpacked && unpacked.error().code == Code::exhausted && is_short)
        return fail(Code::exhausted, "the disk is full: the layer takes more than the " + std::to_string(room >> 20) +
                                         " MiB that are free beside a reserve of " + std::to_string(unpack_reserve >> 20) +
                                         " MiB: make room");
    if (!unpacked) return std::unexpected(unpacked.error());
    if (::syncfs(into.number()) < 0) return fail_errno("write the layer to disk");
    return {};
}

} // namespace

int unpack_main(std::span<const std::string> args) {
    bound_memory();
    auto done = unpack(args);
    if (done) return 0;
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return first_error_code + static_cast<int>(done.error().code);
}

Result<void> unpack_apart(const std::string& program, const os::Fd& layer, const std::string& folder, const std::string& diff_id,
                          const std::string& blob) {
    os::Command command;
    command.argv = {program, std::string(unpack_verb), "--into", folder, "--diff-id", diff_id, "--blob", blob};
    command.inherit = {{layer.number(), layer_descriptor}};
    command.output_limit = 64 << 10;
    command.deadline = 1h;
    os::Finished finished = TRY(os::run(command));
    if (finished.good()) return {};
    std::string why = finished.errors.substr(0, finished.errors.find('\n'));
    if (why.empty()) why = "ended with code " + std::to_string(finished.exit_code);
    bool told = finished.signal == 0 && finished.exit_code >= first_error_code &&
                finished.exit_code <= first_error_code + static_cast<int>(Code::internal);
    return fail(told ? static_cast<Code>(finished.exit_code - first_error_code) : Code::internal, why);
}

} // namespace skerry::drivers::container
