#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skerry {

/// A JSON value (RFC 8259). Members keep their order; names within an object are distinct.
///
/// Numbers that are integers within 64 bits are kept exactly, others as double.
class Json {
public:
    using Array = std::vector<Json>;
    using Member = std::pair<std::string, Json>;
    using Object = std::vector<Member>;

    Json() = default;
    Json(std::nullptr_t) {}
    Json(bool value) : value_(value) {}
    Json(int value) : value_(std::int64_t{value}) {}
    Json(unsigned value) : value_(std::int64_t{value}) {}
    Json(std::int64_t value) : value_(value) {}
    Json(double value) : value_(value) {}
    Json(const char* value) : value_(std::string(value)) {}
    Json(std::string_view value) : value_(std::string(value)) {}
    Json(std::string value) : value_(std::move(value)) {}
    Json(Array value) : value_(std::move(value)) {}
    Json(Object value) : value_(std::move(value)) {}
    static Json array(Array items = {}) { return Json(std::move(items)); }
    static Json object(Object members = {}) { return Json(std::move(members)); }

    bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
    const bool* boolean() const { return std::get_if<bool>(&value_); }
    const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
    const double* real() const { return std::get_if<double>(&value_); }
    const std::string* string() const { return std::get_if<std::string>(&value_); }
    const Array* array_items() const { return std::get_if<Array>(&value_); }
    const Object* members() const { return std::get_if<Object>(&value_); }
    Array* array_items() { return std::get_if<Array>(&value_); }
    Object* members() { return std::get_if<Object>(&value_); }

    /// The member of an object, or null where there is none (or this is no object).
    const Json* find(std::string_view name) const;
    Json* find(std::string_view name);
    /// `find` along names: `at({"metadata", "name"})`; a null value where the path ends early.
    const Json& at(std::initializer_list<std::string_view> path) const;
    /// The string at `find(name)`, or "" where it is absent or no string.
    std::string_view text(std::string_view name) const;
    /// Sets or replaces a member; turns null into an object.
    Json& set(std::string_view name, Json value);
    void erase(std::string_view name);
    /// Appends to an array; turns null into one.
    Json& push(Json item);

    bool operator==(const Json&) const = default;

    /// "null", "a boolean", "a number", "a string", "a list", "an object": for messages.
    std::string_view shape() const;

private:
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
    std::size_t bytes = 4 << 20;
    std::size_t depth = 64;
    std::size_t values = 400'000;
};

/// Strict: one value, no trailing text, no comments, no duplicate names, valid UTF-8. Errors name the byte offset.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

enum class Layout { compact, indented };
std::string write_json(const Json&, Layout layout = Layout::compact);

/// RFC 7386: null removes, objects merge, everything else replaces.
void merge_patch(Json& target, const Json& patch);

} // namespace skerry
