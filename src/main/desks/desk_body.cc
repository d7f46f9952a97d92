#include "main/desks/desk_body.h"

#include "model/rules/validate.h"

#include <algorithm>
#include <string>

namespace skerry::main {

namespace {

using Shape = DeskField::Shape;

bool has_shape(const Json& value, Shape shape) {
    switch (shape) {
    case Shape::text:
        return value.string() != nullptr;
    case Shape::flag:
        return value.boolean() || (value.string() && (*value.string() == "true" || *value.string() == "false"));
    case Shape::list:
        return value.array_items() != nullptr;
    case Shape::map:
        return value.members() != nullptr;
    }
    return false;
}

std::string_view name(Shape shape) {
    switch (shape) {
    case Shape::text:
        return "a text";
    case Shape::flag:
        return "true or false";
    case Shape::list:
        return "a list";
    default:
        return "an object";
    }
}

} // namespace

Result<Json> read_desk_body(const http::Request& request, std::initializer_list<DeskField> fields) {
    Json body = TRY(parse_json(request.body, {.bytes = 64 << 10, .depth = 4, .values = 512}));
    if (!body.members()) return fail(Code::invalid, "body: wanted an object, not " + std::string(body.shape()));
    for (auto& [key, value] : *body.members()) {
        auto field = std::ranges::find(fields, std::string_view(key), &DeskField::name);
        if (field == fields.end()) {
            std::string known;
            for (auto& each : fields) known += (known.empty() ? "" : ", ") + std::string(each.name);
            return fail(Code::invalid, model::quoted(key) + " is no field here (there are " + known + ")");
        }
        if (!value.is_null() && !has_shape(value, field->shape))
            return fail(Code::invalid,
                        key + ": wanted " + std::string(name(field->shape)) + ", not " + std::string(value.shape()));
    }
    return body;
}

bool flag_of(const Json& body, std::string_view name) {
    const Json* value = body.find(name);
    return value && (value->boolean() ? *value->boolean() : value->string() && *value->string() == "true");
}

} // namespace skerry::main
