#pragma once

#include "base/json.h"
#include "base/result.h"
#include "cli/client/session.h"
#include "model/reference.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// What a tag of an Image says.
struct TagFacts {
    std::string digest;
    std::string size; ///< a quantity of bytes
    std::vector<std::string> platforms;
    std::string pushed;
};

/// Puts the tag into `spec.tags` of an Image, in its old place or last; the digest it had before, or "".
std::string put_tag(Json& image, std::string_view tag, const TagFacts&);

/// Creates or changes the Image so that the tag names the digest; starts over when somebody else changes it meanwhile. The digest
/// before.
Result<std::string> tag_image(Session&, const model::ImageRef&, const TagFacts&);

/// Apps with a component of this tag whose current Revision holds another digest than `now`, as "retail/till (component pos)".
/// All projects where that is allowed, else the image's own.
std::vector<std::string> apps_behind(Session&, const model::ImageRef&, std::string_view now);

} // namespace skerry::cli
