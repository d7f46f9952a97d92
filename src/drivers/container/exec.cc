#include "drivers/container/exec.h"

#include "os/files.h"
#include "os/process.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <unistd.h>
#include <vector>

namespace skerry::drivers::container {

namespace {

void add_tree(pid_t pid, std::vector<pid_t>& all) {
    constexpr std::size_t enough = 10'000;
    if (all.size() > enough) return;
    all.push_back(pid);
    for (auto& child : os::children(pid).value_or(std::vector<os::Relatives>()))
        if (std::ranges::find(all, child.pid) == all.end()) add_tree(child.pid, all);
}

} // namespace

void kill_exec(const os::Cgroups& cgroups, const std::string& group, const std::string& pid_file) {
    auto text = os::read_file(pid_file, 64);
    pid_t pid = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc() || pid <= 1) return;
    std::vector<pid_t> tree;
    add_tree(pid, tree);
    auto members = cgroups.pids(group).value_or(std::vector<pid_t>());
    for (pid_t member : members)
        if (::getpgid(member) == pid || std::ranges::find(tree, member) != tree.end()) ::kill(member, SIGKILL);
}

} // namespace skerry::drivers::container
