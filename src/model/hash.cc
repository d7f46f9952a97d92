#include "model/hash.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "base/units.h"
#include "model/revision.pb.h"
#include "model/rules/rule.h"
#include "model/text/mapping.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>

namespace skerry::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// One spelling of each meaning.
std::string canonical(const std::string& format, const std::string& value) {
    if (format == "quantity.cpu")
        if (auto cpu = parse_cpu(value)) return std::to_string(cpu->count);
    if (format == "quantity.bytes")
        if (auto bytes = parse_bytes(value)) return std::to_string(bytes->count);
    return value;
}

Json canonical(const Message& message);

/// A field's value, or null where it says no more than its absence.
Json canonical(const Message& message, const FieldDescriptor* field) {
    const auto* reflection = message.GetReflection();
    const Rule& rule = rule_of(field);
    if (field->is_repeated()) {
        Json items;
        for (int i = 0; i < reflection->FieldSize(message, field); ++i)
            items.push(field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
                           ? canonical(reflection->GetRepeatedMessage(message, field, i))
                           : Json(reflection->GetRepeatedString(message, field, i)));
        // The order of what is told apart by a key says nothing.
        const std::string& key = rule.key();
        if (!key.empty() && !items.is_null())
            std::sort(items.array_items()->begin(), items.array_items()->end(),
                      [&](const Json& a, const Json& b) { return a.text(key) < b.text(key); });
        return items;
    }
    if (!reflection->HasField(message, field)) return {};
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return canonical(reflection->GetMessage(message, field));
    case FieldDescriptor::CPPTYPE_STRING: {
        std::string value = reflection->GetString(message, field);
        return value == rule.preset() && !rule.preset().empty() ? Json() : Json(canonical(rule.format(), value));
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
        std::string value = std::to_string(reflection->GetUInt32(message, field));
        return value == rule.preset() ? Json() : Json(value);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
        return Json(reflection->GetBool(message, field));
    default:
        return Json(reflection->GetDouble(message, field));
    }
}

/// Members in order of their names, without those that are null; null where none is left.
Json canonical(const Message& message) {
    Json::Object members;
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i)
        if (Json value = canonical(message, descriptor->field(i)); !value.is_null())
            members.emplace_back(descriptor->field(i)->name(), std::move(value));
    std::sort(members.begin(), members.end(), [](auto& a, auto& b) { return a.first < b.first; });
    return members.empty() ? Json() : Json(std::move(members));
}

/// Which state of which object a variable reads.
Json pin_of(const EnvVar& variable, const google::protobuf::RepeatedPtrField<Pin>& pins) {
    bool secret = variable.from().has_secret();
    for (const Pin& pin : pins)
        if (pin.kind() == (secret ? "Secret" : "Config") &&
            pin.name() == (secret ? variable.from().secret() : variable.from().config()))
            return Json(pin.uid() + "/" + std::to_string(pin.generation()));
    return {};
}

} // namespace

std::string component_hash(const ClosedComponent& closed, const google::protobuf::RepeatedPtrField<Pin>& pins) {
    static constexpr std::array<const char*, 8> counted{"runtime", "command",   "args",  "working_dir",
                                                        "user",    "resources", "ports", "env"};
    const Component& component = closed.component();
    Json out = Json::object();
    out.set("image_digest", closed.image_digest());
    for (const char* name : counted)
        if (Json value = canonical(component, component.GetDescriptor()->FindFieldByName(name)); !value.is_null())
            out.set(name, std::move(value));
    for (const EnvVar& variable : component.env())
        if (variable.has_from())
            if (Json pin = pin_of(variable, pins); !pin.is_null()) out.set("pin " + variable.name(), std::move(pin));
    return hex(sha256(write_json(out)).substr(0, 16));
}

} // namespace skerry::model
