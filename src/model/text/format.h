#pragma once

#include <string_view>

namespace skerry::model {

inline bool is_digit(char c) { return '0' <= c && c <= '9'; }
/// RFC 1123: letters and digits in lower case, '-' inside, up to 63.
bool is_label(std::string_view text);
/// Labels joined by dots, up to 253.
bool is_name(std::string_view text);
/// Up to 63 of letters, digits, '-', '_', '.', beginning and ending with a letter or digit; or empty.
bool is_label_value(std::string_view text);
/// `[prefix/]name`, the prefix a dotted name.
bool is_label_key(std::string_view text);
/// Letters, digits, '-', '_' and '.', 1 to 253: keys of Secrets, Configs and Site values.
bool is_data_key(std::string_view text);
/// `sha256:` and 64 digits.
bool is_digest(std::string_view text);
/// What may follow the server in an http address: it begins with '/', and has no spaces, control characters, '#' or letters beyond ASCII.
bool is_http_path(std::string_view text);
/// As OCI has them: up to 128 of letters, digits, '_', '.', '-', not beginning with '.' or '-'.
bool is_tag(std::string_view text);

} // namespace skerry::model
