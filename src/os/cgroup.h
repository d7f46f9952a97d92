#pragma once

#include "base/result.h"
#include "base/time.h"
#include "base/units.h"
#include "os/mount.h"

#include <cstdint>
#include <map>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace skerry::os {

/// The cgroup file systems of this machine, and groups in them, by path from the root: "/skerry/3f2a".
///
/// In v1 and hybrid a group is a folder of the same path in each controller's hierarchy; in v2 one folder. Reads of a group that
/// is gone are `not_found`.
class Cgroups {
public:
    enum class Layout {
        v1,
        hybrid, ///< v1 controllers, and a v2 tree that has none of them
        v2
    };

    /// `unsupported` where no cgroup file system is mounted.
    static Result<Cgroups> detect();
    static Result<Cgroups> from(const std::vector<MountPoint>&);

    Layout layout() const { return layout_; }
    /// Whether a controller ("memory", "freezer", "pids") is there.
    bool has(const std::string& controller) const;
    /// The folders a group has, existing or not.
    std::vector<std::string> folders(const std::string& group) const;
    /// The folder where a controller's files of the group are.
    Result<std::string> folder(const std::string& group, const std::string& controller) const;

    /// Makes the group everywhere; in v2 turns its parents' controllers on, as far as the machine lets us.
    Result<void> create(const std::string& group) const;
    /// Removes the group and those below. `conflict` while processes are in it. None is fine.
    Result<void> remove(const std::string& group) const;
    /// Moves a process into the group.
    Result<void> enter(const std::string& group, pid_t) const;

    /// Processes in the group and below, of all hierarchies, each once.
    Result<std::vector<pid_t>> pids(const std::string& group) const;
    /// Kills every process of the group and below, frozen or not, and waits until none is left (`timeout` after `patience`).
    Result<void> kill(const std::string& group, Duration patience) const;

    Result<Bytes> memory_used(const std::string& group) const;
    /// How many processes of the group the kernel killed for want of memory.
    Result<std::uint64_t> oom_kills(const std::string& group) const;

    /// Returns when all of the group stands still (`timeout` after `patience`).
    Result<void> freeze(const std::string& group, Duration patience) const;
    Result<void> thaw(const std::string& group) const;
    Result<bool> is_frozen(const std::string& group) const;

private:
    Layout layout_ = Layout::v2;
    std::map<std::string, std::string> controllers_; ///< v1: controller → mount point; several may share one
    std::string unified_;                            ///< v2: mount point; empty without
};

} // namespace skerry::os
