#include "base/bytes.h"
#include "base/check.h"
#include "model/text/mapping.h"

#include "model/meta.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

namespace skerry::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

Json text_of(const FieldDescriptor* field, const std::string& value) {
    return field->type() == FieldDescriptor::TYPE_BYTES ? Json(base64(value)) : Json(value);
}

Json single(const Message& message, const FieldDescriptor* field) {
    const Reflection* reflection = message.GetReflection();
    std::string scratch;
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
        return text_of(field, reflection->GetStringReference(message, field, &scratch));
    case FieldDescriptor::CPPTYPE_BOOL:
        return Json(reflection->GetBool(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
        return Json(std::int64_t{reflection->GetUInt32(message, field)});
    case FieldDescriptor::CPPTYPE_INT32:
        return Json(std::int64_t{reflection->GetInt32(message, field)});
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return Json(reflection->GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return to_json(reflection->GetMessage(message, field));
    default:
        CHECK(false, "a field of a type that the API does not have: " + field->full_name());
    }
}

Json item(const Message& message, const FieldDescriptor* field, int i) {
    const Reflection* reflection = message.GetReflection();
    std::string scratch;
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
        return text_of(field, reflection->GetRepeatedStringReference(message, field, i, &scratch));
    case FieldDescriptor::CPPTYPE_BOOL:
        return Json(reflection->GetRepeatedBool(message, field, i));
    case FieldDescriptor::CPPTYPE_UINT32:
        return Json(std::int64_t{reflection->GetRepeatedUInt32(message, field, i)});
    case FieldDescriptor::CPPTYPE_INT32:
        return Json(std::int64_t{reflection->GetRepeatedInt32(message, field, i)});
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return Json(reflection->GetRepeatedDouble(message, field, i));
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return to_json(reflection->GetRepeatedMessage(message, field, i));
    default:
        CHECK(false, "a field of a type that the API does not have: " + field->full_name());
    }
}

Json map(const Message& message, const FieldDescriptor* field, int size) {
    Json::Object entries;
    entries.reserve(static_cast<std::size_t>(size));
    const FieldDescriptor* key = field->message_type()->map_key();
    const FieldDescriptor* value = field->message_type()->map_value();
    for (int i = 0; i < size; ++i) {
        const Message& entry = message.GetReflection()->GetRepeatedMessage(message, field, i);
        entries.emplace_back(entry.GetReflection()->GetString(entry, key), single(entry, value));
    }
    std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.first < b.first; });
    return Json(std::move(entries));
}

bool is_shown(const Message& message, const FieldDescriptor* field) {
    if (field->has_presence() || message.GetReflection()->HasField(message, field))
        return message.GetReflection()->HasField(message, field);
    return field->cpp_type() != FieldDescriptor::CPPTYPE_STRING && message.GetDescriptor() != Meta::descriptor();
}

} // namespace

Json to_json(const Message& message) {
    Json out = Json::object();
    auto& members = *out.members();
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
        const FieldDescriptor* field = descriptor->field(i);
        if (field->is_repeated()) {
            int size = message.GetReflection()->FieldSize(message, field);
            if (size == 0) continue;
            if (field->is_map()) {
                members.emplace_back(field->json_name(), map(message, field, size));
                continue;
            }
            Json::Array items;
            items.reserve(static_cast<std::size_t>(size));
            for (int n = 0; n < size; ++n) items.push_back(item(message, field, n));
            members.emplace_back(field->json_name(), Json(std::move(items)));
        } else if (is_shown(message, field))
            members.emplace_back(field->json_name(), single(message, field));
    }
    return out;
}

} // namespace skerry::model
