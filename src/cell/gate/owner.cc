#include "cell/gate/owner.h"

#include "model/allocation.pb.h"
#include "model/instance.pb.h"
#include "model/meta.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/parts.h"

#include <google/protobuf/message.h>

namespace skerry::cell {

trust::Target target_of(model::Kind kind, const google::protobuf::Message& message) {
    const auto& meta = model::metadata(message);
    trust::Target target{.kind = std::string(model::name(kind)), .project = meta.namespace_(), .name = meta.name()};
    switch (kind) {
    case model::Kind::site:
        target.site = meta.name();
        break;
    case model::Kind::node:
        target.site = static_cast<const model::Node&>(message).spec().site();
        target.node = meta.name();
        break;
    case model::Kind::allocation:
        target.site = static_cast<const model::Allocation&>(message).spec().site();
        break;
    case model::Kind::instance:
        target.site = static_cast<const model::Instance&>(message).spec().site();
        target.node = static_cast<const model::Instance&>(message).spec().node();
        break;
    case model::Kind::override_:
        target.site = static_cast<const model::Override&>(message).spec().site();
        break;
    default:
        break;
    }
    return target;
}

} // namespace skerry::cell
