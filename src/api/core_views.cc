#include "api/resource.h"

#include "model/event.pb.h"
#include "model/instance.pb.h"
#include "model/project.pb.h"
#include "model/text/mapping.h"

namespace skerry::api {

namespace {

Json metadata_of(const store::Object& object) {
    Json own = model::write_object(object.key.kind, object.message(), object.number());
    Json* metadata = own.find("metadata");
    if (!metadata) return Json::object();
    metadata->erase("home");
    return std::move(*metadata);
}

Json condition(std::string_view type, bool holds) { return Json::object({{"type", type}, {"status", holds ? "True" : "False"}}); }

/// Kubernetes' five pod phases.
std::string_view pod_phase(const model::InstanceStatus& status) {
    if (status.phase() == "Running" || status.phase() == "BackOff" || status.phase() == "Stopping") return "Running";
    if (status.phase() == "Stopped") return "Succeeded";
    if (status.phase() == "Failed") return "Failed";
    return "Pending";
}

Json container_state(const model::InstanceStatus& status) {
    if (status.phase() == "Running") return Json::object({{"running", Json::object({{"startedAt", status.started_at()}})}});
    if (status.phase() == "Stopped" || status.phase() == "Failed")
        return Json::object(
            {{"terminated",
              Json::object({{"exitCode", status.exit_code()}, {"reason", status.reason()}, {"message", status.message()}})}});
    std::string reason = status.reason().empty() ? status.phase() : status.reason();
    return Json::object({{"waiting", Json::object({{"reason", reason}, {"message", status.message()}})}});
}

} // namespace

Json write_pod(const store::Object& object) {
    auto& instance = store::as<model::Instance>(object);
    auto& spec = instance.spec();
    auto& status = instance.status();
    Json container = Json::object({{"name", spec.component()}, {"image", status.image_digest()}, {"resources", Json::object()}});
    Json state = Json::object({{"name", spec.component()},
                               {"image", status.image_digest()},
                               {"imageID", status.image_digest()},
                               {"ready", status.ready()},
                               {"started", status.phase() == "Running"},
                               {"restartCount", static_cast<std::int64_t>(status.restarts())},
                               {"state", container_state(status)}});
    Json shown = Json::object(
        {{"phase", pod_phase(status)},
         {"conditions", Json::array({condition("Ready", status.ready()), condition("ContainersReady", status.ready()),
                                     condition("PodScheduled", true), condition("Initialized", true)})},
         {"containerStatuses", Json::array({std::move(state)})}});
    if (!status.started_at().empty()) shown.set("startTime", status.started_at());
    if (!status.message().empty()) shown.set("message", status.message());
    if (std::string address = status.address().substr(0, status.address().find('/')); !address.empty()) {
        shown.set("podIP", address);
        shown.set("podIPs", Json::array({Json::object({{"ip", address}})}));
    }
    Json wanted = Json::object(
        {{"nodeName", spec.node()}, {"restartPolicy", "Always"}, {"containers", Json::array({std::move(container)})}});
    return Json::object({{"apiVersion", "v1"},
                         {"kind", "Pod"},
                         {"metadata", metadata_of(object)},
                         {"spec", std::move(wanted)},
                         {"status", std::move(shown)}});
}

Json write_namespace(const store::Object& object) {
    return Json::object({{"apiVersion", "v1"},
                         {"kind", "Namespace"},
                         {"metadata", metadata_of(object)},
                         {"spec", Json::object()},
                         {"status", Json::object({{"phase", "Active"}})}});
}

Json write_event(const store::Object& object) {
    auto& spec = store::as<model::Event>(object).spec();
    Json regarding = Json::object({{"kind", spec.regarding().kind()},
                                   {"namespace", spec.regarding().namespace_()},
                                   {"name", spec.regarding().name()},
                                   {"uid", spec.regarding().uid()},
                                   {"apiVersion", model::api_version}});
    return Json::object({{"apiVersion", "v1"},
                         {"kind", "Event"},
                         {"metadata", metadata_of(object)},
                         {"involvedObject", std::move(regarding)},
                         {"reason", spec.reason()},
                         {"message", spec.message()},
                         {"type", spec.type()},
                         {"count", static_cast<std::int64_t>(spec.count())},
                         {"firstTimestamp", spec.first_seen()},
                         {"lastTimestamp", spec.last_seen()},
                         {"source", Json::object({{"component", spec.source()}})},
                         {"reportingComponent", spec.source()},
                         {"reportingInstance", ""}});
}

} // namespace skerry::api
