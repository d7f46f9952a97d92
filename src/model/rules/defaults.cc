#include "model/rules/defaults.h"

#include "base/check.h"
#include "model/rules/rule.h"
#include "model/secret.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

namespace skerry::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void set_preset(Message& message, const FieldDescriptor* field, const std::string& preset) {
    const Reflection* reflection = message.GetReflection();
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
        return reflection->SetString(&message, field, preset);
    case FieldDescriptor::CPPTYPE_UINT32:
        return reflection->SetUInt32(&message, field, static_cast<std::uint32_t>(std::stoul(preset)));
    case FieldDescriptor::CPPTYPE_BOOL:
        return reflection->SetBool(&message, field, preset == "true");
    case FieldDescriptor::CPPTYPE_MESSAGE:
        reflection->MutableMessage(&message, field);
        return;
    default:
        CHECK(false, "a preset on a field of a type that has none: " + field->full_name());
    }
}

} // namespace

void apply_presets(Message& message) {
    if (message.GetDescriptor() == Secret::descriptor()) {
        auto& secret = static_cast<Secret&>(message);
        for (auto& [key, value] : secret.string_data()) (*secret.mutable_data())[key] = value;
        secret.clear_string_data();
    }
    const Reflection* reflection = message.GetReflection();
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
        const FieldDescriptor* field = descriptor->field(i);
        // What was found is nobody's wish.
        if (field->name() == "status" && descriptor->options().HasExtension(kind)) continue;
        bool inner = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map();
        if (field->is_repeated()) {
            for (int n = 0; inner && n < reflection->FieldSize(message, field); ++n)
                apply_presets(*reflection->MutableRepeatedMessage(&message, field, n));
            continue;
        }
        const std::string& preset = rule_of(field).preset();
        if (!preset.empty() && !reflection->HasField(message, field)) set_preset(message, field, preset);
        if (inner && reflection->HasField(message, field)) apply_presets(*reflection->MutableMessage(&message, field));
    }
}

} // namespace skerry::model
