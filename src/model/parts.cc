#include "model/parts.h"

#include "base/check.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/image.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/project.pb.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <vector>

namespace skerry::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using ConditionList = const google::protobuf::RepeatedPtrField<Condition>*;

const FieldDescriptor* metadata_field(const Message& message) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("metadata");
    CHECK(field && field->message_type() == Meta::descriptor(), message.GetTypeName());
    return field;
}

/// The conditions of the one of these kinds that the message is.
template<class... Kinds>
ConditionList conditions_among(const Message& message) {
    ConditionList found = nullptr;
    auto look = [&]<class M>(const M* typed) {
        if (typed && typed->has_status()) found = &typed->status().conditions();
    };
    (look(message.GetDescriptor() == Kinds::descriptor() ? static_cast<const Kinds*>(&message) : nullptr), ...);
    return found;
}

} // namespace

const Meta& metadata(const Message& message) {
    return static_cast<const Meta&>(message.GetReflection()->GetMessage(message, metadata_field(message)));
}

Meta& metadata(Message& message) {
    return static_cast<Meta&>(*message.GetReflection()->MutableMessage(&message, metadata_field(message)));
}

std::string field_beside_status(const Message& message) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields)
        if (field->name() != "status") return field->name();
    return {};
}

ConditionList conditions(const Message& message) {
    return conditions_among<Project, Site, Node, Image, App, Revision, Allocation, Instance, Override>(message);
}

} // namespace skerry::model
