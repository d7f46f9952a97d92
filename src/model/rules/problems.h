#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {

/// What is wrong with one field of an object.
struct Problem {
    std::string field;   ///< in the API's spelling: `spec.components[0].resources.cpu`
    std::string message; ///< value and remedy: `"half" is not a quantity (try 500m)`

    std::string text() const { return field.empty() ? message : field + ": " + message; }
};

/// Everything that is wrong with an object, so that its author corrects it once. Bounded: beyond `kept` only the number grows.
class Problems {
public:
    static constexpr std::size_t kept = 64;

    void add(std::string field, std::string message);
    /// A remark that refuses nothing (unknown fields under fieldValidation=Warn).
    void warn(std::string field, std::string message);

    bool empty() const { return count_ == 0; }
    std::size_t count() const { return count_; }
    const std::vector<Problem>& list() const { return list_; }
    const std::vector<Problem>& warnings() const { return warnings_; }

    /// All of them on one line each; a last line tells of those beyond `kept`.
    std::string text() const;
    /// `invalid`, with all of them, under a title such as `App "till"`.
    Error error(std::string_view title) const;

private:
    std::size_t count_ = 0;
    std::vector<Problem> list_;
    std::vector<Problem> warnings_;
};

/// A value as messages show it: in quotes, control characters escaped, cut to 80 bytes.
std::string quoted(std::string_view value);

/// The word of `known` that `word` was probably meant to be (letter case, snake_case, up to two typing errors), or empty.
std::string_view closest(std::string_view word, const std::vector<std::string_view>& known);

} // namespace skerry::model
