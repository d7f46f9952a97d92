#include "api/kube_body.h"

#include "api/kube.pb.h"

#include <map>
#include <string>

namespace skerry::api {

namespace {

Json sorted(const google::protobuf::Map<std::string, std::string>& map) {
    Json json = Json::object();
    for (auto& [name, value] : std::map<std::string, std::string>(map.begin(), map.end())) json.set(name, value);
    return json;
}

} // namespace

Result<Json> parse_kube_body(std::string_view bytes) {
    static constexpr std::string_view magic("k8s\0", 4);
    kube::Envelope envelope;
    if (!bytes.starts_with(magic) ||
        !envelope.ParseFromArray(bytes.data() + magic.size(), static_cast<int>(bytes.size() - magic.size())))
        return fail(Code::invalid, "the body is not Kubernetes protobuf; send JSON");
    if (envelope.type().api_version() != "v1" || envelope.type().kind() != "Namespace")
        return fail(Code::invalid,
                    "only a v1 Namespace is taken in protobuf, not " + envelope.type().kind().substr(0, 80) + "; send JSON");
    kube::Namespace wish;
    if (!wish.ParseFromString(envelope.raw())) return fail(Code::invalid, "the Namespace in the body is malformed");
    Json metadata = Json::object({{"name", wish.metadata().name()}});
    if (!wish.metadata().labels().empty()) metadata.set("labels", sorted(wish.metadata().labels()));
    if (!wish.metadata().annotations().empty()) metadata.set("annotations", sorted(wish.metadata().annotations()));
    return Json::object({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", std::move(metadata)}});
}

} // namespace skerry::api
