#include "oci/fields.h"

#include "oci/descriptor.h"

namespace skerry::oci {

namespace {

std::unexpected<Error> wrong(const std::string& field, const Json& found, std::string_view wanted) {
    return fail(Code::invalid, field + ": " + std::string(found.shape()) + "; wanted " + std::string(wanted));
}

Result<std::string> checked_text(const std::string& field, const Json& value, std::size_t limit) {
    auto* text = value.string();
    if (!text) return wrong(field, value, "a string");
    if (text->size() > limit)
        return fail(Code::invalid,
                    field + ": " + std::to_string(text->size()) + " bytes; at most " + std::to_string(limit) + " are accepted");
    if (text->find('\0') != text->npos) return fail(Code::invalid, field + ": contains a zero byte");
    return *text;
}

Result<void> check_count(const std::string& field, std::size_t count, std::size_t limit) {
    if (count <= limit) return {};
    return fail(Code::invalid,
                field + ": " + std::to_string(count) + " items; at most " + std::to_string(limit) + " are accepted");
}

} // namespace

Result<std::string> Fields::text(std::string_view member, std::size_t limit) const {
    const Json* value = object.find(member);
    if (!value || value->is_null()) return std::string();
    return checked_text(name(member), *value, limit);
}

Result<std::int64_t> Fields::number(std::string_view member, std::int64_t low, std::int64_t high) const {
    const Json* value = object.find(member);
    if (!value) return fail(Code::invalid, name(member) + ": is missing; wanted a number");
    auto* number = value->integer();
    if (!number) return wrong(name(member), *value, "a whole number");
    if (*number < low || *number > high)
        return fail(Code::invalid, name(member) + ": " + std::to_string(*number) + " is not within " + std::to_string(low) +
                                       " and " + std::to_string(high));
    return *number;
}

Result<std::vector<std::string>> Fields::texts(std::string_view member, std::size_t count, std::size_t limit) const {
    const Json* value = object.find(member);
    std::vector<std::string> texts;
    if (!value || value->is_null()) return texts;
    auto* items = value->array_items();
    if (!items) return wrong(name(member), *value, "a list of strings");
    TRY_VOID(check_count(name(member), items->size(), count));
    for (std::size_t i = 0; i < items->size(); ++i)
        texts.push_back(TRY(checked_text(name(member) + "[" + std::to_string(i) + "]", (*items)[i], limit)));
    return texts;
}

Result<std::map<std::string, std::string>> Fields::text_map(std::string_view member, std::size_t count) const {
    const Json* value = object.find(member);
    std::map<std::string, std::string> texts;
    if (!value || value->is_null()) return texts;
    auto* members = value->members();
    if (!members) return wrong(name(member), *value, "an object of strings");
    TRY_VOID(check_count(name(member), members->size(), count));
    for (auto& [key, item] : *members)
        texts.emplace(key, TRY(checked_text(name(member) + "." + key.substr(0, 100), item, 1 << 20)));
    return texts;
}

Result<std::vector<std::string>> Fields::keys(std::string_view member, std::size_t count) const {
    const Json* value = object.find(member);
    std::vector<std::string> keys;
    if (!value || value->is_null()) return keys;
    auto* members = value->members();
    if (!members) return wrong(name(member), *value, "an object");
    TRY_VOID(check_count(name(member), members->size(), count));
    for (auto& [key, item] : *members) keys.push_back(key);
    return keys;
}

Result<Json> parse_document(std::string_view what, std::string_view bytes) {
    Json document = TRY(parse_json(bytes, {.bytes = max_document, .depth = 32}) | during(what));
    if (!document.members()) return wrong(std::string(what), document, "an object");
    return document;
}

} // namespace skerry::oci
