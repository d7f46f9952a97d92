#pragma once

#include "os/cgroup.h"

#include <string>

namespace skerry::drivers::container {

/// Kills a command that a runtime started in a container: the process in `pid_file`, its process group and its descendants, as
/// far as they are in `group`. A process that left all of these (a daemon that forked twice) belongs to the container and stays.
void kill_exec(const os::Cgroups& cgroups, const std::string& group, const std::string& pid_file);

} // namespace skerry::drivers::container
