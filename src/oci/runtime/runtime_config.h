#pragma once

#include "base/json.h"
#include "base/result.h"
#include "oci/image_config.h"
#include "oci/layers/accounts.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

struct BindMount {
    std::string source;
    std::string target;
    bool read_only = false;
};

/// What to run in an image, and inside which walls.
struct RuntimeWish {
    std::string name;                 ///< the cgroup and container name
    std::vector<std::string> command; ///< replaces entry point and arguments of the image where not empty
    std::vector<std::string> args;    ///< replaces its arguments where not empty
    std::map<std::string, std::string> environment;
    std::string working_dir; ///< empty: the image's
    std::string user;        ///< empty: the image's
    std::string hostname;
    std::string rootfs;            ///< path of the mounted root
    std::string passwd;            ///< text of the image's /etc/passwd, to resolve users
    std::string group;             ///< text of its /etc/group
    std::vector<BindMount> mounts; ///< volumes, resolv.conf, hosts, hostname
    std::string netns;             ///< path; empty: the machine's own network
    std::string cgroup_path;       ///< "/skerry/<name>", below every hierarchy's root
    std::int64_t cpu_millis = 0;   ///< thousandths of a core; 0: no limit
    std::int64_t memory_bytes = 0; ///< with `limit_swap` memory and swap together; 0: no limit
    std::int64_t pids = 4096;      ///< 0: no limit
    bool cgroup2 = false;          ///< only the unified hierarchy: the container gets a cgroup namespace
    bool limit_swap = false;       ///< the machine accounts swap, so that memory and swap together can be limited
    int oom_score_adjust = 0;
    std::int64_t open_files = 1'048'576; ///< hard limit of descriptors; not above our own, which only CAP_SYS_RESOURCE may raise
};

/// podman's default set.
const std::vector<std::string>& default_capabilities();

/// The config.json of the OCI runtime specification 1.0.2: entry point, environment and user as Docker merges them; capabilities,
/// masked paths, system calls and mounts as podman's defaults. `invalid` names what does not fit (no command anywhere, unknown
/// user, bad path).
Result<Json> runtime_config(const ImageConfig& image, const RuntimeWish& wish);

/// A `process` object for `runtime exec`: the container's environment, user and capabilities with another command.
Result<Json> exec_process(const Json& config, const std::vector<std::string>& command);

} // namespace skerry::oci
