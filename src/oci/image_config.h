#pragma once

#include "base/result.h"
#include "oci/platform.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

/// What an image says about how to run it (OCI image specification, config.md; Docker's is the same for these members).
struct ImageConfig {
    Platform platform;
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::vector<std::string> environment; ///< NAME=value
    std::string user;                     ///< name, uid, name:group, uid:gid …
    std::string working_dir;
    std::string stop_signal;                ///< empty: SIGTERM
    std::vector<std::string> exposed_ports; ///< "80/tcp"
    std::vector<std::string> volumes;
    std::map<std::string, std::string> labels;
    std::vector<std::string> diff_ids; ///< of the uncompressed layers, lowest first
};

Result<ImageConfig> parse_image_config(std::string_view bytes);

/// Names the stack of the first n layers (image specification, "Layer ChainID"): chain(1) = diff(1), chain(n) = sha256(chain(n-1)
/// " " diff(n)).
std::vector<std::string> chain_ids(const std::vector<std::string>& diff_ids);

} // namespace skerry::oci
