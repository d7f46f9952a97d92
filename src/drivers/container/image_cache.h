#pragma once

#include "base/result.h"
#include "drivers/container/blobs.h"
#include "drivers/container/paths.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "os/fd.h"

#include <span>
#include <string>
#include <vector>

namespace skerry::drivers::container {

/// An image that can be mounted.
struct PreparedImage {
    std::string digest;              ///< as asked for: an index or a manifest
    std::vector<std::string> layers; ///< digests of the uncompressed layers, lowest first
    oci::ImageConfig config;
};

/// Images made ready for this machine: each layer unpacked once, whichever images and instances share it.
///
/// Several workers may prepare at once, also the same image: each unpacks under a name of its own, and the first rename stands.
class ImageCache {
public:
    /// `program` is ours, for the unpacking process.
    ImageCache(Paths paths, Blobs& blobs, std::string program, oci::Platform host);

    /// From manifest to unpacked layers; quick when all is there. `not_found` when a blob is not on this machine, or nothing fits
    /// it.
    Result<PreparedImage> prepare(const std::string& digest, const std::string& for_whom);

    /// Removes what a crash left half unpacked. Not while anyone prepares.
    Result<void> clean();
    /// Forgets every other image and puts layers that nothing in `kept` uses out of the way, in a moment. Images in `kept` may be
    /// prepared and started meanwhile, others not.
    Result<void> keep_only(std::span<const std::string> kept);
    /// Deletes what is out of the way. Beside anything.
    Result<void> remove_dropped();

    /// Folder of an unpacked layer.
    std::string layer_folder(const std::string& diff_id) const;

private:
    struct Documents {
        oci::Manifest manifest;
        std::string config;
    };
    Result<std::string> document(const std::string& digest);
    Result<Documents> documents(const std::string& image);
    Result<std::vector<std::string>> layers_of(const std::string& image);
    Result<PreparedImage> remembered(const std::string& digest);
    Result<void> unpack(const std::string& blob, const std::string& diff_id, const std::string& for_whom);
    Result<os::Fd> open_blob(const std::string& digest, const std::string& spool);

    Paths paths_;
    Blobs& blobs_;
    std::string program_;
    oci::Platform host_;
};

} // namespace skerry::drivers::container
