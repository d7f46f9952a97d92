#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace skerry::model {

/// A reference to an image: tag 4.2 of Image `pos` in project `retail`, or exact bytes by digest.
struct ImageRef {
    std::string project;
    std::string name;
    std::string tag;    ///< "latest" if neither tag nor digest was given; may be empty beside a digest
    std::string digest; ///< "sha256:…" of index or manifest, or empty; wins over the tag

    /// `retail/pos:4.2`, `retail/pos@sha256:…`
    std::string text() const;
    bool operator==(const ImageRef&) const = default;
};

/// `[project/]name[:tag][@sha256:…]`. Anything else is `invalid`, with the remedy (names of other registries have more parts;
/// such images are pushed into a project first).
Result<ImageRef> parse_image(std::string_view text, std::string_view default_project);

} // namespace skerry::model
