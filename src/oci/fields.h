#pragma once

#include "base/json.h"
#include "base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

/// Typed reading of members, with errors that name them: `layers[0].size: a string; wanted a number`. `where` is the object's own
/// name, or empty for the document. Absent and null members read as empty.
struct Fields {
    const Json& object;
    std::string where;

    std::string name(std::string_view member) const {
        return where.empty() ? std::string(member) : where + "." + std::string(member);
    }
    Result<std::string> text(std::string_view member, std::size_t limit = 4096) const;
    Result<std::int64_t> number(std::string_view member, std::int64_t low, std::int64_t high) const;
    Result<std::vector<std::string>> texts(std::string_view member, std::size_t count, std::size_t limit = 128 << 10) const;
    Result<std::map<std::string, std::string>> text_map(std::string_view member, std::size_t count) const;
    /// Names of an object's members (Docker writes sets as `{"80/tcp": {}}`).
    Result<std::vector<std::string>> keys(std::string_view member, std::size_t count) const;
};

/// Parses a document that must be an object; `what` names it in errors.
Result<Json> parse_document(std::string_view what, std::string_view bytes);

} // namespace skerry::oci
