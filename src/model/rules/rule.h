#pragma once

#include "model/rule.pb.h"

#include <string>
#include <string_view>

namespace skerry::model {

inline const Rule& rule_of(const google::protobuf::FieldDescriptor* field) { return field->options().GetExtension(rule); }

/// "spec" + "components" → "spec.components"; a key of a map that is no plain word is put in brackets: `labels[a.b/c]`.
inline std::string join(std::string_view path, std::string_view name) {
    bool plain = name.find_first_of(".[]") == std::string_view::npos;
    std::string shown(name.substr(0, 64));
    if (!plain) return std::string(path) + "[" + shown + "]";
    return path.empty() ? shown : std::string(path) + "." + shown;
}

inline std::string join(std::string_view path, std::size_t index) {
    return std::string(path) + "[" + std::to_string(index) + "]";
}

/// Items shown in a message: `a, b or c`.
template<class Words>
std::string choices(const Words& words) {
    std::string out;
    std::size_t i = 0, n = static_cast<std::size_t>(words.size());
    for (const auto& word : words) {
        if (i > 0) out += i + 1 == n ? " or " : ", ";
        out += word;
        ++i;
    }
    return out;
}

} // namespace skerry::model
