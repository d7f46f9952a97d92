#include "model/substitute.h"

#include "model/rules/problems.h"
#include "model/text/format.h"

namespace skerry::model {

namespace {

constexpr std::size_t largest_variable = 128 << 10;

/// Calls `plain` with stretches of text and `name` with references, in order.
template<class Plain, class Name>
Result<void> walk(std::string_view text, Plain plain, Name name) {
    while (!text.empty()) {
        std::size_t dollar = std::min(text.find('$'), text.size());
        TRY_VOID(plain(text.substr(0, dollar)));
        text.remove_prefix(dollar);
        if (text.starts_with("$$(")) {
            TRY_VOID(plain("$("));
            text.remove_prefix(3);
        } else if (text.starts_with("$(")) {
            std::size_t close = text.find(')');
            if (close == std::string_view::npos)
                return fail(Code::invalid, "\"$(\" is not closed (write $$( for the characters themselves)");
            TRY_VOID(name(text.substr(2, close - 2)));
            text.remove_prefix(close + 1);
        } else if (!text.empty()) {
            TRY_VOID(plain(text.substr(0, 1)));
            text.remove_prefix(1);
        }
    }
    return {};
}

} // namespace

Result<std::string> substitute(std::string_view text, const std::function<std::optional<std::string>(std::string_view)>& lookup) {
    std::string out;
    auto add = [&](std::string_view piece) -> Result<void> {
        if (out.size() + piece.size() > largest_variable)
            return fail(Code::exhausted,
                        "more than " + std::to_string(largest_variable) + " bytes once its references are replaced");
        out += piece;
        return {};
    };
    TRY_VOID(walk(text, add, [&](std::string_view name) -> Result<void> {
        std::optional<std::string> value = lookup(name);
        if (!value) return fail(Code::not_found, "$(" + std::string(name.substr(0, 80)) + ") has no value here");
        return add(*value);
    }));
    return out;
}

Result<std::vector<std::string>> references(std::string_view text) {
    std::vector<std::string> names;
    TRY_VOID(walk(
        text, [](std::string_view) -> Result<void> { return {}; },
        [&](std::string_view name) -> Result<void> {
            names.emplace_back(name);
            return {};
        }));
    return names;
}

bool is_known_reference(std::string_view name) {
    constexpr std::string_view values = "site.values.";
    if (name.starts_with(values)) return is_data_key(name.substr(values.size()));
    return name == "site.name" || name == "node.name" || name == "instance.name" || name == "app.name";
}

} // namespace skerry::model
