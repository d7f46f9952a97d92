#include "model/rules/problems.h"
#include "model/selector.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

namespace skerry::model {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// The next name of a path, taken off its front.
std::string_view step(std::string_view& path) {
    std::size_t dot = std::min(path.find('.'), path.size());
    std::string_view name = path.substr(0, dot);
    path.remove_prefix(std::min(path.size(), dot + 1));
    return name;
}

const FieldDescriptor* find(const Descriptor* descriptor, std::string_view name) {
    for (int i = 0; i < descriptor->field_count(); ++i)
        if (descriptor->field(i)->json_name() == name) return descriptor->field(i);
    return nullptr;
}

std::string text_at(const Message& message, std::string_view path) {
    const FieldDescriptor* field = find(message.GetDescriptor(), step(path));
    if (!field || field->is_repeated()) return {};
    const auto* reflection = message.GetReflection();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        return path.empty() ? std::string() : text_at(reflection->GetMessage(message, field), path);
    if (!path.empty() || (field->has_presence() && !reflection->HasField(message, field))) return {};
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
        return reflection->GetString(message, field);
    case FieldDescriptor::CPPTYPE_BOOL:
        return reflection->GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_UINT32:
        return std::to_string(reflection->GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT32:
        return std::to_string(reflection->GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return fmt::format("{}", reflection->GetDouble(message, field));
    default:
        return {};
    }
}

bool leads_to_value(const Descriptor* descriptor, std::string_view path) {
    if (path.ends_with('.')) return false;
    while (descriptor) {
        const FieldDescriptor* field = find(descriptor, step(path));
        if (!field || field->is_repeated()) return false;
        bool inner = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
        if (path.empty()) return !inner;
        descriptor = inner ? field->message_type() : nullptr;
    }
    return false;
}

} // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
    auto refuse = [](const std::string& why) {
        return fail(Code::invalid, "the field selector " + why + " (try metadata.name=till,status.phase!=Running)");
    };
    if (text.size() > longest_selector) return refuse("is longer than " + std::to_string(longest_selector) + " bytes");
    FieldSelector selector;
    while (!text.empty()) {
        if (selector.terms_.size() >= most_selector_terms)
            return refuse("has more than " + std::to_string(most_selector_terms) + " terms");
        std::size_t comma = std::min(text.find(','), text.size());
        std::string_view term = text.substr(0, comma);
        text.remove_prefix(std::min(text.size(), comma + 1));
        if (term.empty()) continue; // kubectl sends a trailing comma
        std::size_t sign = term.find('=');
        if (sign == std::string_view::npos || sign == 0) return refuse("has " + quoted(term) + " where FIELD=VALUE should be");
        bool equal = term[sign - 1] != '!';
        std::string_view path = term.substr(0, equal ? sign : sign - 1);
        std::string_view value = term.substr(sign + 1);
        if (equal && value.starts_with('=')) value.remove_prefix(1);
        if (path.empty()) return refuse("has " + quoted(term) + " where FIELD=VALUE should be");
        selector.terms_.push_back({.path = std::string(path), .equal = equal, .value = std::string(value)});
    }
    return selector;
}

Result<void> FieldSelector::check(Kind kind) const {
    for (const Term& term : terms_)
        if (!leads_to_value(facts(kind).descriptor, term.path))
            return fail(Code::invalid, "the field selector's " + quoted(term.path) + " is no single value of a " +
                                           std::string(name(kind)) + " (use fields such as metadata.name, or a label selector)");
    return {};
}

bool FieldSelector::matches(const Message& message) const {
    return std::all_of(terms_.begin(), terms_.end(),
                       [&](const Term& term) { return (text_at(message, term.path) == term.value) == term.equal; });
}

} // namespace skerry::model
