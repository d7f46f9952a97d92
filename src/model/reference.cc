#include "model/reference.h"

#include "model/rules/problems.h"
#include "model/text/format.h"

#include <algorithm>

namespace skerry::model {

std::string ImageRef::text() const {
    std::string out = project + "/" + name;
    if (!tag.empty()) out += ":" + tag;
    if (!digest.empty()) out += "@" + digest;
    return out;
}

Result<ImageRef> parse_image(std::string_view text, std::string_view default_project) {
    auto refuse = [&](std::string_view why) { return fail(Code::invalid, quoted(text) + " " + std::string(why)); };
    ImageRef image{.project = std::string(default_project), .name = {}, .tag = {}, .digest = {}};
    std::string_view rest = text;
    if (std::size_t at = rest.find('@'); at != std::string_view::npos) {
        image.digest = rest.substr(at + 1);
        if (!is_digest(image.digest))
            return refuse("has no valid digest behind '@' (write name@sha256: and 64 digits of 0-9 and a-f)");
        rest = rest.substr(0, at);
    }
    auto slashes = std::count(rest.begin(), rest.end(), '/');
    std::size_t slash = rest.find('/');
    if (slashes > 1 || (slashes == 1 && rest.substr(0, slash).find_first_of(".:") != std::string_view::npos))
        return refuse(
            "names an image of another registry (push it into a project with 'skerry image push', then write project/name:tag)");
    if (slashes == 1) {
        image.project = rest.substr(0, slash);
        if (!is_label(image.project))
            return refuse("does not begin with a project's name (write project/name:tag, such as retail/pos:4.2)");
        rest = rest.substr(slash + 1);
    }
    if (std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
        image.tag = rest.substr(colon + 1);
        if (!is_tag(image.tag)) return refuse("has no valid tag behind ':' (try name:1.0)");
        rest = rest.substr(0, colon);
    } else if (image.digest.empty())
        image.tag = "latest";
    image.name = rest;
    if (!is_name(image.name))
        return refuse("is not an image (write project/name:tag with a-z, 0-9 and '-', such as retail/pos:4.2)");
    return image;
}

} // namespace skerry::model
