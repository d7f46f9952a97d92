#include "model/parts.h"
#include "model/rules/rule.h"
#include "model/text/mapping.h"

#include "base/check.h"
#include "model/meta.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace skerry::model {

namespace {

using google::protobuf::Message;

void check_version(const Json& json, Problems& problems) {
    const Json* version = json.find("apiVersion");
    if (!version || version->is_null())
        problems.add("apiVersion", "missing (write apiVersion: " + std::string(api_version) + ")");
    else if (!version->string())
        problems.add("apiVersion", std::string(version->shape()) + " is not a string (write " + std::string(api_version) + ")");
    else if (*version->string() != api_version)
        problems.add("apiVersion", quoted(*version->string()) + " is not known here (write " + std::string(api_version) + ")");
}

const KindFacts* read_kind(const Json& json, Problems& problems) {
    std::vector<std::string_view> known;
    for (const KindFacts& kind : all_kinds()) known.push_back(kind.name);
    const Json* word = json.find("kind");
    if (!word || !word->string()) {
        problems.add("kind", (word && !word->is_null() ? std::string(word->shape()) + " is not a kind" : "missing") +
                                 " (write one of " + choices(known) + ")");
        return nullptr;
    }
    for (const KindFacts& kind : all_kinds())
        if (kind.name == *word->string()) return &kind;
    std::string_view near = closest(*word->string(), known);
    problems.add("kind",
                 quoted(*word->string()) + " is not a kind" +
                     (near.empty() ? " (write one of " + choices(known) + ")" : ", did you mean " + std::string(near) + "?"));
    return nullptr;
}

} // namespace

std::unique_ptr<Message> new_message(Kind kind) {
    const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(facts(kind).descriptor);
    CHECK(prototype);
    return std::unique_ptr<Message>(prototype->New());
}

Parsed parse_object(const Json& json, Unknown unknown, Problems& problems) {
    if (!json.members()) {
        problems.add("", std::string(json.shape()) + " is not an object (write apiVersion, kind and metadata)");
        return {};
    }
    check_version(json, problems);
    Parsed parsed{.kind = read_kind(json, problems), .message = nullptr};
    if (!parsed.kind) return parsed;
    parsed.message = new_message(parsed.kind->kind);
    Json rest = json;
    rest.erase("apiVersion");
    rest.erase("kind");
    from_json(rest, *parsed.message, problems, unknown);
    return parsed;
}

Json write_object(Kind kind, const Message& message, std::uint64_t resource_version) {
    CHECK(message.GetDescriptor() == facts(kind).descriptor, message.GetTypeName());
    Json out = Json::object();
    out.set("apiVersion", api_version);
    out.set("kind", name(kind));
    out.set("metadata", to_json(metadata(message)));
    if (resource_version) out.find("metadata")->set("resourceVersion", std::to_string(resource_version));
    Json all = to_json(message);
    for (auto& [name, value] : *all.members())
        if (name != "metadata") out.set(name, std::move(value));
    return out;
}

} // namespace skerry::model
