#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::os {

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)), unescaped.
struct MountPoint {
    std::uint64_t id = 0;
    std::uint64_t parent = 0;
    std::string root; ///< the folder of the file system that is shown
    std::string target;
    std::string options; ///< of this mount
    std::string filesystem;
    std::string source;
    std::string super_options; ///< of the file system
};

/// Lines that do not parse are left out: kernels add fields.
std::vector<MountPoint> parse_mountinfo(std::string_view text);
Result<std::vector<MountPoint>> mounts();
/// Those at `folder` and below, in the order of mounting.
Result<std::vector<MountPoint>> mounts_beneath(const std::string& folder);
Result<bool> is_mount_point(const std::string& path);

/// mount(2); flags are MS_*.
Result<void> mount(const std::string& source, const std::string& target, const std::string& filesystem, unsigned long flags,
                   const std::string& options = {});
Result<void> bind_mount(const std::string& source, const std::string& target, bool read_only = false);
/// Not mounted, or no such path, is fine. `lazy` detaches now what is still in use.
Result<void> umount(const std::string& target, bool lazy = false);
/// Unmounts everything at `folder` and below, last mounted first, repeating for stacked ones; what is busy is detached.
Result<void> umount_beneath(const std::string& folder);

/// An overlay of folders, read-only where `upper` is empty.
struct Overlay {
    std::vector<std::string> lower; ///< topmost first; at most 500
    std::string upper;
    std::string work;                 ///< empty folder on upper's file system
    std::vector<std::string> options; ///< further ones, as `index=off`
};
/// Paths may hold any character. Options longer than the page that mount(2) takes go by descriptors instead of paths (such a
/// mount shows numbers in mountinfo).
Result<void> mount_overlay(const Overlay&, const std::string& target);

} // namespace skerry::os
