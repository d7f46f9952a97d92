#pragma once

#include "base/result.h"
#include "oci/read_image.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace skerry::oci {

/// The named files of a pushed image, wherever they are: a folder, or an archive that can only be read from front to back.
class ImageFiles {
public:
    struct Facts {
        std::int64_t size = 0;
        std::string digest; ///< empty where finding out would mean reading (folders)
        std::string head;   ///< first four bytes, to tell compressions apart; empty as above
    };

    virtual ~ImageFiles() = default;
    /// A JSON document of at most `max_document` bytes; none where there is no such file.
    virtual Result<std::optional<std::string>> document(const std::string& name) = 0;
    virtual Result<std::optional<Facts>> facts(const std::string& name) = 0;

    /// Gets each file's bytes in order, files in any order. An empty piece ends a file.
    using Visitor = std::function<Result<void>(const std::string& name, std::string_view piece)>;
    virtual Result<void> visit(const std::set<std::string>& names, const Visitor& visitor) = 0;
};

/// A folder, an archive, or "-" for standard input.
Result<std::unique_ptr<ImageFiles>> open_image_files(const std::string& source, const ReadOptions& options);

} // namespace skerry::oci
