#pragma once

#include "base/json.h"
#include "base/result.h"
#include "oci/platform.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::oci {

namespace media {
inline constexpr std::string_view index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view layer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_config = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view docker_layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
} // namespace media

bool is_index_type(std::string_view media_type);
bool is_manifest_type(std::string_view media_type);
bool is_config_type(std::string_view media_type);
/// Also the "nondistributable" and "foreign" ones, as long as their bytes are at hand.
bool is_layer_type(std::string_view media_type);

/// Largest index, manifest or config that is read into memory.
inline constexpr std::size_t max_document = 4 << 20;
/// Largest blob.
inline constexpr std::int64_t max_blob = std::int64_t{64} << 30;

/// A reference to some bytes: what they are, how many, and their digest.
struct Descriptor {
    std::string media_type;
    std::string digest;
    std::int64_t size = 0;
    std::optional<Platform> platform; ///< in an index
    std::map<std::string, std::string> annotations;
    bool operator==(const Descriptor&) const = default;
};

/// `field` is what errors call this object: `manifests[2]`.
Result<Descriptor> parse_descriptor(const Json&, std::string_view field);
Json json_of(const Descriptor&);

} // namespace skerry::oci
