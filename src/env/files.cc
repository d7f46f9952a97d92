#include "env/files.h"

namespace skerry::env {

namespace {

std::string folder_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

Result<void> write_whole(Files& files, const std::string& path, std::string_view bytes) {
    const std::string fresh = path + ".new";
    auto write = [&]() -> Result<void> {
        auto file = TRY(files.open(fresh, Files::Mode::create));
        // A leftover of an earlier try may be longer than what is written now.
        TRY_VOID(file->truncate(0));
        TRY_VOID(file->write(0, bytes));
        TRY_VOID(file->sync());
        return {};
    };
    if (auto written = write(); !written) {
        (void)files.remove(fresh);
        return written | during("write " + path);
    }
    TRY_VOID(files.rename(fresh, path));
    return files.sync_folder(folder_of(path));
}

Result<std::string> read_whole(Files& files, const std::string& path, std::size_t limit) {
    auto file = TRY(files.open(path, Files::Mode::read));
    std::uint64_t size = TRY(file->size());
    if (size > limit)
        return fail(Code::exhausted,
                    path + " has " + std::to_string(size) + " bytes, more than the " + std::to_string(limit) + " allowed");
    return file->read(0, static_cast<std::size_t>(size));
}

} // namespace skerry::env
