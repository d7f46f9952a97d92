#include "drivers/container/container_logs.h"

#include "base/log.h"
#include "drivers/container/log_reader.h"
#include "os/fd.h"
#include "os/files.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace skerry::drivers::container {

namespace {

/// conmon's control pipe takes lines of three numbers; 2 asks it to open its logs anew.
void ask_to_reopen(const std::string& control) {
    auto pipe = os::open(control, O_WRONLY | O_NONBLOCK);
    if (!pipe) return; // nobody reads: the container has ended
    constexpr std::string_view reopen = "2 0 0\n";
    (void)!::write(pipe->number(), reopen.data(), reopen.size());
}

} // namespace

Result<std::unique_ptr<LogReader>> ContainerLogs::open(const std::string& instance, LogWindow window) {
    TRY_VOID(check_name(instance));
    LogSeries series{paths_.log_folder(instance), window.previous ? "previous" : "current", limits_.files - 1};
    bool any = false;
    for (int age = 0; age < limits_.files; ++age) any = any || TRY(os::exists(series.path(age)));
    if (!any)
        return fail(Code::not_found, window.previous ? "instance " + instance + " had no run before this one, or its log is gone"
                                                     : "there is no log of instance " + instance + " on this node");
    auto reader = std::make_unique<FileLogReader>(series, window);
    TRY_VOID(reader->begin());
    return reader;
}

void ContainerLogs::rotate_run(const std::string& name) {
    LogSeries series{paths_.log_folder(name), "current", limits_.files - 1};
    struct stat found {};
    std::string control = paths_.bundle(name) + "/ctl";
    if (::stat(series.path(0).c_str(), &found) < 0) {
        if (::stat(series.path(1).c_str(), &found) == 0) ask_to_reopen(control);
        return;
    }
    if (found.st_size <= limits_.bytes || series.rotated < 1) return;
    for (int age = series.rotated; age > 0; --age)
        if (auto moved = os::rename(series.path(age - 1), series.path(age)); !moved && moved.error().code != Code::not_found)
            log(Level::warning, "container", "rotate the log of {}: {}", name, moved.error().message);
    ask_to_reopen(control);
}

void ContainerLogs::rotate() {
    auto names = os::list(paths_.logs());
    if (!names) return;
    std::vector<std::pair<std::int64_t, std::string>> gone;
    for (auto& name : *names) {
        if (!check_name(name)) continue;
        rotate_run(name);
        struct stat found {};
        bool kept = os::exists(paths_.instance(name)).value_or(true);
        if (!kept && ::stat(paths_.log_folder(name).c_str(), &found) == 0) gone.emplace_back(found.st_mtim.tv_sec, name);
    }
    if (gone.size() <= limits_.gone) return;
    std::ranges::sort(gone);
    gone.resize(gone.size() - limits_.gone);
    for (auto& [when, name] : gone)
        if (auto removed = os::remove_tree(paths_.log_folder(name)); !removed)
            log(Level::warning, "container", "remove the log of {}: {}", name, removed.error().message);
}

Result<void> keep_previous_log(const std::string& folder) {
    TRY_VOID(os::mkdirs(folder, 0700));
    constexpr std::string_view now = "current", before = "previous";
    auto names = TRY(os::list(folder));
    auto named = [](const std::string& name, std::string_view stem) {
        return name == stem || name.starts_with(std::string(stem) + ".");
    };
    bool any = std::ranges::any_of(names, [&](auto& name) { return named(name, now); });
    if (!any) return {};
    for (auto& name : names)
        if (named(name, before)) TRY_VOID(os::unlink(folder + "/" + name));
    for (auto& name : names)
        if (named(name, now))
            TRY_VOID(os::rename(folder + "/" + name, folder + "/" + std::string(before) + name.substr(now.size())));
    return {};
}

} // namespace skerry::drivers::container
