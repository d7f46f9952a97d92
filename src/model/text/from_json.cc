#include "base/bytes.h"
#include "base/check.h"
#include "model/rules/rule.h"
#include "model/text/mapping.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <limits>
#include <optional>

namespace skerry::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// As people wrote it, near enough: 2, 0.5, 1000000000.
std::string number_text(const Json& json) {
    if (auto* integer = json.integer()) return std::to_string(*integer);
    double real = *json.real();
    if (std::abs(real) < 1e18 && real == std::floor(real)) return fmt::format("{:.0f}", real);
    return fmt::format("{}", real);
}

std::string shown(const Json& json) {
    if (auto* text = json.string()) return quoted(*text);
    if (auto* boolean = json.boolean()) return *boolean ? "true" : "false";
    if (json.integer() || json.real()) return number_text(json);
    return std::string(json.shape());
}

/// Formats whose texts are often written as bare numbers.
bool takes_numbers(const FieldDescriptor* field) {
    const std::string& format = rule_of(field).format();
    return format == "quantity.cpu" || format == "quantity.bytes" || format == "duration" || format == "share";
}

std::string_view wanted(const FieldDescriptor* field) {
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
        return field->type() == FieldDescriptor::TYPE_BYTES ? "base64 text" : "a string";
    case FieldDescriptor::CPPTYPE_BOOL:
        return "true or false";
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return "an object";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
        return "a number";
    default:
        return "an integer";
    }
}

class Reader {
public:
    Reader(Problems& problems, Unknown unknown) : problems_(problems), unknown_(unknown) {}

    void object(const Json& json, Message& message, const std::string& path) {
        const Json::Object* members = json.members();
        if (!members) return refuse(path, json, "an object");
        for (auto& [name, value] : *members) {
            const FieldDescriptor* field = find(message, name);
            if (!field)
                unknown(message, name, path);
            else if (!value.is_null())
                member(value, message, field, join(path, name));
        }
    }

private:
    static const FieldDescriptor* find(const Message& message, std::string_view name) {
        const auto* descriptor = message.GetDescriptor();
        for (int i = 0; i < descriptor->field_count(); ++i)
            if (descriptor->field(i)->json_name() == name) return descriptor->field(i);
        return nullptr;
    }

    void unknown(const Message& message, std::string_view name, const std::string& path) {
        if (unknown_ == Unknown::ignore) return;
        const auto* descriptor = message.GetDescriptor();
        std::vector<std::string_view> known;
        for (int i = 0; i < descriptor->field_count(); ++i) known.push_back(descriptor->field(i)->json_name());
        std::string_view near = closest(name, known);
        std::string why = near.empty() ? "unknown field (known here: " + choices(known) + ")"
                                       : "unknown field, did you mean " + std::string(near) + "?";
        // A name is someone else's text: never longer or stranger in a message than this.
        std::string word = quoted(name);
        std::string field = join(path, std::string_view(word).substr(1, word.size() - 2));
        unknown_ == Unknown::warn ? problems_.warn(std::move(field), std::move(why))
                                  : problems_.add(std::move(field), std::move(why));
    }

    void refuse(const std::string& path, const Json& json, std::string_view need) {
        std::string remedy;
        if (need == "a string" && !json.members() && !json.array_items() && !json.is_null())
            remedy = " (write it in quotes: \"" + shown(json) + "\")";
        problems_.add(path, shown(json) + " is not " + std::string(need) + remedy);
    }

    void member(const Json& json, Message& message, const FieldDescriptor* field, const std::string& path) {
        const Reflection* reflection = message.GetReflection();
        if (field->is_map()) return map(json, message, field, path);
        if (!field->is_repeated()) {
            if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
                object(json, *reflection->MutableMessage(&message, field), path);
            else
                scalar(json, message, field, field, path);
            return;
        }
        const Json::Array* items = json.array_items();
        if (!items) return refuse(path, json, "a list");
        for (std::size_t i = 0; i < items->size(); ++i) {
            std::string at = join(path, i);
            if ((*items)[i].is_null())
                problems_.add(at, "null in a list (remove it)");
            else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
                object((*items)[i], *reflection->AddMessage(&message, field), at);
            else
                scalar((*items)[i], message, field, field, at);
        }
    }

    /// Maps are from text to text, bytes or messages; each entry is written as the entry message that protobuf makes of it.
    void map(const Json& json, Message& message, const FieldDescriptor* field, const std::string& path) {
        const Json::Object* members = json.members();
        if (!members) return refuse(path, json, "an object");
        const FieldDescriptor* key = field->message_type()->map_key();
        const FieldDescriptor* value = field->message_type()->map_value();
        CHECK(key->cpp_type() == FieldDescriptor::CPPTYPE_STRING, field->full_name());
        for (auto& [name, item] : *members) {
            if (item.is_null()) continue;
            std::string at = join(path, name);
            if (name.find('\0') != std::string::npos) {
                problems_.add(path, "a key contains a zero byte (remove it)");
                continue;
            }
            Message* entry = message.GetReflection()->AddMessage(&message, field);
            entry->GetReflection()->SetString(entry, key, name);
            if (value->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
                object(item, *entry->GetReflection()->MutableMessage(entry, value), at);
            else
                scalar(item, *entry, value, field, at);
        }
    }

    void scalar(const Json& json, Message& message, const FieldDescriptor* field, const FieldDescriptor* ruled,
                const std::string& path) {
        const Reflection* reflection = message.GetReflection();
        bool list = field->is_repeated();
        switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_STRING: {
            std::optional<std::string> text = string(json, field, ruled, path);
            if (text)
                list ? reflection->AddString(&message, field, std::move(*text))
                     : reflection->SetString(&message, field, std::move(*text));
            return;
        }
        case FieldDescriptor::CPPTYPE_BOOL:
            if (auto* value = json.boolean())
                list ? reflection->AddBool(&message, field, *value) : reflection->SetBool(&message, field, *value);
            else
                refuse(path, json, wanted(field));
            return;
        case FieldDescriptor::CPPTYPE_UINT32:
            if (auto value = integer(json, field, path, 0, std::numeric_limits<std::uint32_t>::max())) {
                auto narrow = static_cast<std::uint32_t>(*value);
                list ? reflection->AddUInt32(&message, field, narrow) : reflection->SetUInt32(&message, field, narrow);
            }
            return;
        case FieldDescriptor::CPPTYPE_INT32:
            if (auto value = integer(json, field, path, std::numeric_limits<std::int32_t>::min(),
                                     std::numeric_limits<std::int32_t>::max())) {
                auto narrow = static_cast<std::int32_t>(*value);
                list ? reflection->AddInt32(&message, field, narrow) : reflection->SetInt32(&message, field, narrow);
            }
            return;
        case FieldDescriptor::CPPTYPE_DOUBLE: {
            auto* whole = json.integer();
            auto* real = json.real();
            if (!whole && !(real && std::isfinite(*real))) return refuse(path, json, wanted(field));
            double value = whole ? static_cast<double>(*whole) : *real;
            list ? reflection->AddDouble(&message, field, value) : reflection->SetDouble(&message, field, value);
            return;
        }
        default:
            CHECK(false, "a field of a type that the API does not have: " + field->full_name());
        }
    }

    std::optional<std::string> string(const Json& json, const FieldDescriptor* field, const FieldDescriptor* ruled,
                                      const std::string& path) {
        if ((json.integer() || json.real()) && takes_numbers(ruled)) return number_text(json);
        const std::string* text = json.string();
        if (!text) {
            refuse(path, json, wanted(field));
            return std::nullopt;
        }
        if (field->type() == FieldDescriptor::TYPE_BYTES) {
            Result<std::string> bytes = unbase64(*text);
            if (bytes) return std::move(*bytes);
            problems_.add(path, "not base64 (encode it, or write it as plain text where the kind has stringData)");
            return std::nullopt;
        }
        if (text->find('\0') != std::string::npos) {
            problems_.add(path, quoted(*text) + " contains a zero byte (remove it)");
            return std::nullopt;
        }
        return *text;
    }

    std::optional<std::int64_t> integer(const Json& json, const FieldDescriptor* field, const std::string& path,
                                        std::int64_t least, std::int64_t most) {
        auto* whole = json.integer();
        auto* real = json.real();
        std::optional<std::int64_t> value;
        if (whole) value = *whole;
        // 3.0 and 1e3 are integers of JSON too.
        if (real && *real == std::floor(*real) && std::abs(*real) < 9e15) value = static_cast<std::int64_t>(*real);
        if (!value && real) {
            problems_.add(path, number_text(json) + " is not an integer");
            return std::nullopt;
        }
        if (!value) {
            refuse(path, json, wanted(field));
            return std::nullopt;
        }
        if (*value < least || *value > most) {
            problems_.add(path, std::to_string(*value) + " is out of range (" + std::to_string(least) + " to " +
                                    std::to_string(most) + ")");
            return std::nullopt;
        }
        return value;
    }

    Problems& problems_;
    Unknown unknown_;
};

} // namespace

void from_json(const Json& json, Message& message, Problems& problems, Unknown unknown, std::string_view at) {
    Reader(problems, unknown).object(json, message, std::string(at));
}

} // namespace skerry::model
