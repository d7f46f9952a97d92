#include "model/text/format.h"

#include "base/time.h"
#include "base/units.h"
#include "model/reference.h"
#include "model/rules/validate.h"

#include <algorithm>
#include <charconv>

namespace skerry::model {

namespace {

bool is_lower(char c) { return 'a' <= c && c <= 'z'; }
bool is_upper(char c) { return 'A' <= c && c <= 'Z'; }
bool is_alphanumeric(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }

template<class Test>
bool all(std::string_view text, Test test) {
    return std::all_of(text.begin(), text.end(), test);
}

/// A plain decimal number without sign, space or leading plus.
bool reads_number(std::string_view text, unsigned most) {
    unsigned value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc() && end == text.data() + text.size() && value <= most;
}

bool is_ipv4(std::string_view text) {
    for (int part = 0; part < 4; ++part) {
        std::size_t dot = part < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos || dot > 3 || !reads_number(text.substr(0, dot), 255)) return false;
        if (dot > 1 && text[0] == '0') return false;
        text.remove_prefix(std::min(text.size(), dot + 1));
    }
    return text.empty();
}

/// RFC 4291 section 2.2, also with an IPv4 tail.
bool is_ipv6(std::string_view text) {
    std::size_t groups = 0;
    bool gap = false;
    if (text.starts_with("::"))
        gap = true, text.remove_prefix(2);
    else if (text.starts_with(':'))
        return false;
    while (!text.empty()) {
        std::size_t end = std::min(text.find(':'), text.size());
        std::string_view group = text.substr(0, end);
        if (end == text.size() && group.find('.') != std::string_view::npos) {
            if (!is_ipv4(group)) return false;
            groups += 2;
            break;
        }
        if (group.empty() || group.size() > 4 ||
            !all(group, [](char c) { return is_digit(c) || ('a' <= c && c <= 'f') || ('A' <= c && c <= 'F'); }))
            return false;
        ++groups;
        text.remove_prefix(end);
        if (text.empty()) break;
        text.remove_prefix(1);
        if (text.starts_with(':')) {
            if (gap) return false;
            gap = true;
            text.remove_prefix(1);
        } else if (text.empty())
            return false;
    }
    return gap ? groups < 8 : groups == 8;
}

bool is_port(std::string_view text) { return !text.starts_with('0') && reads_number(text, 65535); }

bool is_host(std::string_view text) {
    std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || !is_port(text.substr(colon + 1))) return false;
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) return is_ipv6(host.substr(1, host.size() - 2));
    return is_ipv4(host) || is_name(host);
}

bool is_path(std::string_view text) {
    if (!text.starts_with('/')) return false;
    for (std::size_t at = 1; at <= text.size();) {
        std::size_t end = std::min(text.find('/', at), text.size());
        if (text.substr(at, end - at) == "..") return false;
        at = end + 1;
    }
    return true;
}

bool is_share(std::string_view text) {
    if (text.ends_with('%')) return reads_number(text.substr(0, text.size() - 1), 100);
    return reads_number(text, 1'000'000);
}

bool is_env_name(std::string_view text) {
    return !text.empty() && !is_digit(text[0]) &&
           all(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

struct Format {
    std::string_view name;
    bool (*fits)(std::string_view);
    std::string_view problem;
};

constexpr Format formats[] = {
    {"label", is_label, "is not a label (use up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit)"},
    {"name", is_name, "is not a name (use labels of a-z, 0-9 and '-' joined by dots, such as till or till.v2)"},
    {"quantity.cpu", [](std::string_view t) { return parse_cpu(t).has_value(); }, "is not a quantity (try 500m)"},
    {"quantity.bytes", [](std::string_view t) { return parse_bytes(t).has_value(); }, "is not a quantity (try 128Mi)"},
    {"duration", [](std::string_view t) { return parse_duration(t).has_value(); }, "is not a duration (try 30s or 10m)"},
    {"share", is_share, "is neither a count nor a percentage (try 2 or 10%)"},
    {"time", [](std::string_view t) { return parse_rfc3339(t).has_value(); }, "is not a time (try 2026-03-01T12:00:00Z)"},
    {"path", is_path, "is not an absolute path without \"..\" (try /var/lib/app)"},
    {"digest", is_digest, "is not a digest (write sha256: and 64 digits of 0-9 and a-f)"},
    {"host", is_host, "is not a host with a port (try core.example.com:7443)"},
    {"ip", [](std::string_view t) { return is_ipv4(t) || is_ipv6(t); }, "is not an IP address (try 10.0.7.9)"},
    {"country", [](std::string_view t) { return t.size() == 2 && all(t, is_upper); },
     "is not a country code of ISO 3166 (try FR)"},
    {"label-key", is_label_key, "is not a label's key (try tier or example.com/tier)"},
    {"label-value", is_label_value,
     "is not a label's value (use up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit)"},
    {"port", is_port, "is not a port (use 1 to 65535)"},
    {"tag", is_tag, "is not a tag (use up to 128 letters, digits, '_', '.' and '-', beginning with a letter, digit or '_')"},
    {"env-name", is_env_name, "is not a variable's name (use letters, digits, '_', '.' and '-', not beginning with a digit)"},
    {"data-key", is_data_key, "is not a key (use up to 253 letters, digits, '-', '_' and '.')"},
};

} // namespace

bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
           all(text, [](char c) { return is_digit(c) || is_lower(c) || c == '-'; });
}

bool is_name(std::string_view text) {
    if (text.size() > 253) return false;
    for (;;) {
        std::size_t dot = std::min(text.find('.'), text.size());
        if (!is_label(text.substr(0, dot))) return false;
        if (dot == text.size()) return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_label_value(std::string_view text) {
    if (text.empty()) return true;
    return text.size() <= 63 && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
           all(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_http_path(std::string_view text) {
    return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

bool is_label_key(std::string_view text) {
    std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        if (!is_name(text.substr(0, slash))) return false;
        text.remove_prefix(slash + 1);
    }
    return !text.empty() && is_label_value(text);
}

bool is_data_key(std::string_view text) {
    return !text.empty() && text.size() <= 253 && text != "." && text != ".." &&
           all(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_digest(std::string_view text) {
    return text.size() == 71 && text.starts_with("sha256:") &&
           all(text.substr(7), [](char c) { return is_digit(c) || ('a' <= c && c <= 'f'); });
}

bool is_tag(std::string_view text) {
    return !text.empty() && text.size() <= 128 && (is_alphanumeric(text[0]) || text[0] == '_') &&
           all(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

std::string format_problem(std::string_view format, std::string_view text) {
    if (format == "image") {
        auto image = parse_image(text, "default");
        return image ? std::string() : image.error().message.substr(quoted(text).size() + 1);
    }
    for (const Format& known : formats)
        if (known.name == format) return known.fits(text) ? std::string() : std::string(known.problem);
    return "cannot be checked: this build does not know the format " + std::string(format);
}

} // namespace skerry::model
