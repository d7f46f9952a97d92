#include "model/text/schema.h"

#include "base/check.h"
#include "model/kind.h"
#include "model/rules/rule.h"
#include "model/text/mapping.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <set>

namespace skerry::model {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

/// Comments as written in the .proto: each line behind "// ".
std::string trimmed(const std::string& comment) {
    std::string out;
    for (std::size_t at = 0; at < comment.size();) {
        std::size_t end = std::min(comment.find('\n', at), comment.size());
        std::string_view line(comment.data() + at, end - at);
        while (line.starts_with(' ')) line.remove_prefix(1);
        while (line.ends_with(' ')) line.remove_suffix(1);
        if (!line.empty() && !out.empty()) out += ' ';
        out += line;
        at = end + 1;
    }
    return out;
}

constexpr int message_types = google::protobuf::FileDescriptorProto::kMessageTypeFieldNumber;
constexpr int fields = google::protobuf::DescriptorProto::kFieldFieldNumber;

} // namespace

struct SchemaText::State {
    std::map<std::string, std::string, std::less<>> by_name;
};

SchemaText::SchemaText() : state_(std::make_unique<State>()) {
    google::protobuf::FileDescriptorSet set;
    CHECK(set.ParseFromArray(schema_bytes.data(), static_cast<int>(schema_bytes.size())), "the embedded schema is damaged");
    for (const auto& file : set.file())
        for (const auto& location : file.source_code_info().location()) {
            std::string text = trimmed(location.leading_comments());
            if (text.empty()) text = trimmed(location.trailing_comments());
            const auto& path = location.path();
            if (text.empty() || path.size() < 2 || path[0] != message_types) continue;
            const auto& message = file.message_type(path[1]);
            std::string name = file.package() + "." + message.name();
            if (path.size() == 4 && path[2] == fields) name += "." + message.field(path[3]).name();
            if (path.size() == 2 || (path.size() == 4 && path[2] == fields))
                state_->by_name.emplace(std::move(name), std::move(text));
        }
}

SchemaText::~SchemaText() = default;
SchemaText::SchemaText(SchemaText&&) noexcept = default;
SchemaText& SchemaText::operator=(SchemaText&&) noexcept = default;

std::string SchemaText::of(const Descriptor* descriptor) const {
    auto found = state_->by_name.find(descriptor->full_name());
    return found == state_->by_name.end() ? std::string() : found->second;
}

std::string SchemaText::of(const FieldDescriptor* field) const {
    auto found = state_->by_name.find(field->full_name());
    return found == state_->by_name.end() ? std::string() : found->second;
}

std::string definition_name(const Descriptor* descriptor) { return "skerry.v1." + descriptor->name(); }

namespace {

/// A bound as JSON; whole numbers without a fraction.
Json bound(double value) {
    auto whole = static_cast<std::int64_t>(value);
    return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

Json value_schema(const FieldDescriptor* field, std::string_view prefix) {
    Json out = Json::object();
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
        out.set("$ref", std::string(prefix) + definition_name(field->message_type()));
        return out;
    case FieldDescriptor::CPPTYPE_BOOL:
        out.set("type", "boolean");
        return out;
    case FieldDescriptor::CPPTYPE_DOUBLE:
        out.set("type", "number");
        out.set("format", "double");
        return out;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_INT32:
        out.set("type", "integer");
        out.set("format", "int64");
        return out;
    default:
        out.set("type", "string");
    }
    if (field->type() == FieldDescriptor::TYPE_BYTES) out.set("format", "byte");
    return out;
}

/// What Rule.format is called among JSON Schema's formats, where there is such a word; else our own word, which clients pass
/// over.
std::string json_format(const std::string& format) {
    if (format == "time") return "date-time";
    return format;
}

void add_rule(Json& schema, const FieldDescriptor* field) {
    const Rule& rule = rule_of(field);
    Json& single = field->is_repeated() && !field->is_map() ? *schema.find("items") : schema;
    if (!field->is_map()) {
        if (!rule.format().empty()) single.set("format", json_format(rule.format()));
        for (const std::string& choice : rule.one_of()) {
            if (!single.find("enum")) single.set("enum", Json::array());
            single.find("enum")->push(choice);
        }
        if (rule.has_minimum()) single.set("minimum", bound(rule.minimum()));
        if (rule.has_maximum()) single.set("maximum", bound(rule.maximum()));
    }
    if (rule.max())
        schema.set(field->is_map() ? "maxProperties" : field->is_repeated() ? "maxItems" : "maxLength", std::int64_t{rule.max()});
    if (!rule.preset().empty() && field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
        schema.set("default", field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32 ? Json(std::int64_t{std::stol(rule.preset())})
                                                                                   : Json(rule.preset()));
    if (!rule.key().empty()) {
        schema.set("x-kubernetes-list-type", "map");
        schema.set("x-kubernetes-list-map-keys", Json::array({Json(rule.key())}));
    }
}

Json field_schema(const FieldDescriptor* field, const SchemaText& text, std::string_view prefix) {
    Json out = Json::object();
    if (std::string description = text.of(field); !description.empty()) out.set("description", description);
    if (field->is_map()) {
        out.set("type", "object");
        out.set("additionalProperties", value_schema(field->message_type()->map_value(), prefix));
    } else if (field->is_repeated()) {
        out.set("type", "array");
        out.set("items", value_schema(field, prefix));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        // Siblings of $ref are ignored in OpenAPI 3.0, so a description needs allOf.
        out.set("allOf", Json::array({value_schema(field, prefix)}));
        return out;
    } else {
        Json value = value_schema(field, prefix);
        for (auto& [name, member] : *value.members()) out.set(name, std::move(member));
    }
    add_rule(out, field);
    return out;
}

Json described(std::string_view description) {
    Json out = Json::object();
    out.set("description", description);
    out.set("type", "string");
    return out;
}

} // namespace

Json json_schema(const Descriptor* descriptor, const SchemaText& text, std::string_view prefix) {
    Json out = Json::object();
    if (std::string description = text.of(descriptor); !description.empty()) out.set("description", description);
    out.set("type", "object");
    Json properties = Json::object();
    Json required = Json::array();
    bool is_kind = descriptor->options().HasExtension(kind);
    if (is_kind) {
        properties.set("apiVersion", described("Version of the schema: " + std::string(api_version) + "."));
        properties.set("kind", described("What the object is: " + descriptor->name() + "."));
    }
    for (int i = 0; i < descriptor->field_count(); ++i) {
        const FieldDescriptor* field = descriptor->field(i);
        properties.set(field->json_name(), field_schema(field, text, prefix));
        if (rule_of(field).required()) required.push(field->json_name());
    }
    out.set("properties", std::move(properties));
    if (!required.array_items()->empty()) out.set("required", std::move(required));
    if (is_kind) {
        Json own = Json::object();
        own.set("group", "skerry");
        own.set("kind", descriptor->name());
        own.set("version", "v1");
        out.set("x-kubernetes-group-version-kind", Json::array({std::move(own)}));
    }
    return out;
}

Json schema_definitions(const SchemaText& text, std::string_view prefix) {
    std::map<std::string, const Descriptor*> reached;
    std::vector<const Descriptor*> open;
    for (const KindFacts& kind : all_kinds()) open.push_back(kind.descriptor);
    while (!open.empty()) {
        const Descriptor* next = open.back();
        open.pop_back();
        if (!next->options().map_entry() && !reached.emplace(definition_name(next), next).second) continue;
        for (int i = 0; i < next->field_count(); ++i)
            if (const Descriptor* inner = next->field(i)->message_type()) open.push_back(inner);
    }
    Json out = Json::object();
    for (auto& [name, descriptor] : reached) out.set(name, json_schema(descriptor, text, prefix));
    return out;
}

} // namespace skerry::model
