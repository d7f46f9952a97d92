#pragma once

#include "base/json.h"
#include "base/result.h"
#include "http/message.h"

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace skerry::main {

/// A field that a desk takes.
struct DeskField {
    enum class Shape : std::uint8_t { text, flag, list, map };
    std::string_view name;
    Shape shape = Shape::text;
};

/// A JSON object with these fields and no others, each of its shape, null or absent. Else `invalid` with field and remedy: what is
/// misspelt must not count as left out.
Result<Json> read_desk_body(const http::Request&, std::initializer_list<DeskField>);

/// true, or the text "true".
bool flag_of(const Json& body, std::string_view name);

} // namespace skerry::main
