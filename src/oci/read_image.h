#pragma once

#include "base/result.h"
#include "oci/image_config.h"
#include "oci/manifest.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

/// Takes the blobs of an image, one at a time: `has`, and unless it has it: `begin`, any number of `append`, `finish`.
///
/// The bytes are verified while they pass; where they turn out wrong, `abandon` follows instead of `finish`. Layers and configs
/// come before the manifests that name them, and the top document comes last, so a sink may refuse a document whose parts it
/// lacks.
class BlobSink {
public:
    virtual ~BlobSink() = default;
    virtual Result<bool> has(const std::string& digest) = 0;
    virtual Result<void> begin(const std::string& digest, std::int64_t size, std::string_view media_type) = 0;
    virtual Result<void> append(std::string_view bytes) = 0;
    virtual Result<void> finish(const std::string& digest) = 0;
    virtual void abandon(const std::string& digest) = 0;
};

struct ReadLimits {
    std::int64_t total_bytes = std::int64_t{256} << 30; ///< of the archive, uncompressed
    std::int64_t entries = 100'000;
    std::int64_t documents_bytes = 64 << 20; ///< index, manifests and configs kept in memory together
    std::int64_t ratio = 1200;               ///< uncompressed to compressed bytes, once past 64 MiB
};

struct ReadOptions {
    std::string
        reference; ///< which image of an archive with several: its `org.opencontainers.image.ref.name`, or a tag of `docker save`
    std::string temporary = "/var/tmp"; ///< where a pipe is spooled to (a nameless file, gone with the process)
    ReadLimits limits;
};

/// One image for one platform within what was read.
struct PlatformImage {
    Platform platform;
    std::string digest; ///< of the manifest
    Manifest manifest;
    ImageConfig config;
};

struct ReadImage {
    std::string digest; ///< of the top document: an index, or the manifest where there is just one
    std::string media_type;
    std::string document;                 ///< the top document's bytes
    std::vector<PlatformImage> platforms; ///< those whose bytes were in the source, at least one
    std::int64_t total_size = 0;          ///< of all distinct blobs, documents included
    std::int64_t sent_size = 0;           ///< of those the sink did not have
};

/// Reads an image from an OCI layout folder, an OCI archive or a `docker save` archive (plain, gzip or zstd); "-" is standard
/// input.
///
/// A `docker save` archive of the old form becomes an OCI manifest with computed digests. Archives may have their entries in any
/// order: seekable ones are read twice, pipes are spooled first. Names inside are only looked up, never used as paths.
Result<ReadImage> read_image(const std::string& source, BlobSink& sink, const ReadOptions& options = {});

} // namespace skerry::oci
