#pragma once

#include "base/result.h"
#include "drivers/driver.h"
#include "oci/image_config.h"
#include "oci/runtime/runtime_config.h"

#include <string>
#include <string_view>

namespace skerry::drivers::container {

/// What differs between machines.
struct Surroundings {
    std::string cgroup = "/skerry";
    bool cgroup2 = false;
    bool limit_swap = false;
    std::int64_t open_files = 1024; ///< hard limit of descriptors that may be given
};

/// As many descriptors as containers usually get, or as we may give.
std::int64_t open_files_limit();

/// /etc/hosts: localhost, the instance itself, and what the spec adds. `invalid` for names or addresses that would break the
/// file.
Result<std::string> hosts_file(const InstanceSpec&);
/// /etc/resolv.conf: the attachment's name servers; `own` (the machine's) for instances in the machine's network.
Result<std::string> resolv_conf(const InstanceSpec&, std::string_view own);

/// The runtime's wish for an instance whose root is mounted at `root`, with the three files above in `bundle`.
Result<oci::RuntimeWish> wish_for(const InstanceSpec&, const std::string& root, const std::string& bundle, const Surroundings&);

/// A small file of a container's root, as the container would see it (symlinks resolve within); empty where there is none or it
/// is large.
std::string read_inside(const std::string& root, const std::string& path, std::size_t limit = 1 << 20);

} // namespace skerry::drivers::container
