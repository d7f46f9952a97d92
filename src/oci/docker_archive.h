#pragma once

#include "base/result.h"
#include "oci/image_files.h"
#include "oci/manifest.h"

#include <map>
#include <string>

namespace skerry::oci {

/// An image of a `docker save` archive, as an OCI manifest over the same bytes.
struct DockerImage {
    Manifest manifest;
    std::string config;                       ///< its bytes
    std::map<std::string, std::string> names; ///< digest of a layer → its name in the archive
};

/// `list` is the archive's manifest.json. `reference` picks one of several images by a tag.
Result<DockerImage> convert_docker_archive(ImageFiles& files, std::string_view list, const std::string& reference);

} // namespace skerry::oci
