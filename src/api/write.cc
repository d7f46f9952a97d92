#include "api/write.h"

#include "api/kube_body.h"
#include "api/status.h"
#include "cell/gate/overrides.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/text/mapping.h"
#include "model/text/yaml.h"

#include <google/protobuf/message.h>

namespace skerry::api {

namespace {

constexpr int patch_attempts = 5;

struct Modes {
    cell::WriteOptions write;
    model::Unknown unknown = model::Unknown::refuse;
};

/// Kubernetes' query parameters of writes.
Result<Modes> parse_modes(const http::Query& query) {
    Modes modes;
    if (auto text = query.get("dryRun"); text == "All")
        modes.write.dry_run = true;
    else if (!text.empty())
        return fail(Code::invalid, "dryRun: \"" + std::string(text.substr(0, 40)) + "\" is not known (try All)");
    if (query.has("force") && query.get("force") != "false")
        return fail(Code::invalid, "force: only means something for server-side apply, which is not offered; apply without "
                                   "--server-side and --force-conflicts");
    if (auto text = query.get("fieldValidation"); text == "Warn")
        modes.unknown = model::Unknown::warn;
    else if (text == "Ignore")
        modes.unknown = model::Unknown::ignore;
    else if (!text.empty() && text != "Strict")
        return fail(Code::invalid,
                    "fieldValidation: \"" + std::string(text.substr(0, 40)) + "\" is not known (try Strict, Warn or Ignore)");
    return modes;
}

Result<Json> parse_body(const http::Request& request) {
    std::string_view type = request.headers.get("Content-Type");
    if (type.starts_with(kube_protobuf)) return parse_kube_body(request.body);
    if (type.find("yaml") == std::string_view::npos) return parse_json(request.body);
    auto documents = TRY(model::parse_yaml(request.body));
    if (documents.size() != 1)
        return fail(Code::invalid, "the body holds " + std::to_string(documents.size()) + " YAML documents; send one");
    return std::move(documents.front());
}

void refuse(const WriteRequest& write, const Error& error) { write.responder->respond(refusal(error, &write.resource)); }

http::Response warned(http::Response response, const cell::Admitted& admitted) {
    for (const std::string& warning : admitted.warnings) response.headers.add("Warning", "299 - " + write_json(Json(warning)));
    return response;
}

http::Response answer_of(const Resource& resource, int status, const cell::Admitted& admitted) {
    return warned(json_response(status, api::write(resource.view, *admitted.object)), admitted);
}

/// Takes a manifest apart and holds it against the path; the message, or the refusal already sent.
std::unique_ptr<google::protobuf::Message> take(WriteRequest& write, Json manifest, model::Unknown unknown,
                                                std::vector<std::string>& warnings) {
    auto own = own_shape(write.resource.view, std::move(manifest));
    if (!own) {
        refuse(write, own.error());
        return nullptr;
    }
    model::Problems problems;
    model::Parsed parsed = model::parse_object(*own, unknown, problems);
    const model::KindFacts& kind = model::facts(write.resource.kind);
    if (parsed.kind && parsed.kind->kind != kind.kind)
        problems.add("kind", "\"" + std::string(parsed.kind->name) + "\" does not belong under this path, which takes " +
                                 std::string(kind.name));
    if (parsed.message) {
        model::Meta& metadata = model::metadata(*parsed.message);
        if (!kind.fleet_wide && metadata.namespace_().empty())
            metadata.set_namespace_(write.resource.project.empty() ? "default" : write.resource.project);
        if (!write.resource.project.empty() && metadata.namespace_() != write.resource.project)
            problems.add("metadata.namespace",
                         "\"" + metadata.namespace_() + "\" is not the project of the path, \"" + write.resource.project + "\"");
        if (!write.resource.name.empty() && metadata.name().empty()) metadata.set_name(write.resource.name);
        if (!write.resource.name.empty() && metadata.name() != write.resource.name)
            problems.add("metadata.name",
                         "\"" + metadata.name() + "\" is not the name in the path, \"" + write.resource.name + "\"");
        if (write.resource.name.empty()) write.resource.name = metadata.name();
    }
    for (const model::Problem& warning : problems.warnings()) warnings.push_back(warning.text());
    if (problems.empty()) return std::move(parsed.message);
    std::string title = std::string(kind.name) + (write.resource.name.empty() ? "" : " \"" + write.resource.name + "\"");
    write.responder->respond(refusal(cell::Refusal{problems.error(title), problems.list()}, write.resource));
    return nullptr;
}

/// Answers with what admission says.
cell::Answer answering(const WriteRequest& write, int status, std::vector<std::string> warnings) {
    return [responder = write.responder, resource = write.resource, status,
            warnings = std::move(warnings)](std::expected<cell::Admitted, cell::Refusal> outcome) {
        if (!outcome) return responder->respond(refusal(outcome.error(), resource));
        outcome->warnings.insert(outcome->warnings.begin(), warnings.begin(), warnings.end());
        responder->respond(answer_of(resource, status, *outcome));
    };
}

/// Whether the subresource names the status; false and refused for another one.
std::optional<bool> is_status(const WriteRequest& write) {
    if (write.resource.subresource.empty()) return false;
    if (write.resource.subresource == "status") return true;
    refuse(write, {Code::not_found, "there is no subresource \"" + write.resource.subresource + "\" to write; only status"});
    return {};
}

void submit(WriteRequest& write, std::unique_ptr<google::protobuf::Message> message, bool status, cell::WriteOptions options,
            cell::Answer answer) {
    auto& admission = write.cell.admission();
    if (status)
        admission.update_status(write.who, write.resource.kind, std::move(message), options, std::move(answer));
    else
        admission.update(write.who, write.resource.kind, std::move(message), options, std::move(answer));
}

void patch_once(WriteRequest write, Json change, Modes modes, bool status, int attempt) {
    std::string site = write.cell.self().role == env::Peer::Role::site ? write.cell.self().name : std::string();
    store::ObjectPtr object = cell::as_shown(write.cell.store(), site, write.cell.store().get(write.resource.key()));
    if (!object)
        return refuse(write, {Code::not_found, std::string(facts(write.resource.view, write.resource.kind).plural) + " \"" +
                                                   write.resource.name + "\" not found"});
    if (status) {
        // A status is written by its owner: what others saw beside it is not his.
        auto own = std::make_shared<store::Object>(*object);
        own->seen = {};
        object = own;
    }
    Json whole = api::write(write.resource.view, *object);
    // A patch that names a version insists on it; one that does not is repeated on the newest.
    bool insists = !change.at({"metadata", "resourceVersion"}).is_null();
    merge_patch(whole, change);
    std::vector<std::string> warnings;
    auto message = take(write, std::move(whole), modes.unknown, warnings);
    if (!message) return;
    auto answer = answering(write, 200, std::move(warnings));
    submit(write, std::move(message), status, modes.write,
           [write, change = std::move(change), modes, status, attempt, insists,
            answer = std::move(answer)](std::expected<cell::Admitted, cell::Refusal> outcome) mutable {
               if (!outcome && outcome.error().error.code == Code::conflict && !insists && attempt < patch_attempts)
                   return patch_once(std::move(write), std::move(change), modes, status, attempt + 1);
               answer(std::move(outcome));
           });
}

} // namespace

void create(WriteRequest write) {
    auto modes = parse_modes(write.request.query);
    if (!modes) return refuse(write, modes.error());
    auto body = parse_body(write.request);
    if (!body) return refuse(write, body.error());
    std::vector<std::string> warnings;
    auto message = take(write, std::move(*body), modes->unknown, warnings);
    if (!message) return;
    write.cell.admission().create(write.who, write.resource.kind, std::move(message), modes->write,
                                  answering(write, 201, std::move(warnings)));
}

void update(WriteRequest write) {
    auto status = is_status(write);
    if (!status) return;
    auto modes = parse_modes(write.request.query);
    if (!modes) return refuse(write, modes.error());
    auto body = parse_body(write.request);
    if (!body) return refuse(write, body.error());
    std::vector<std::string> warnings;
    auto message = take(write, std::move(*body), modes->unknown, warnings);
    if (!message) return;
    submit(write, std::move(message), *status, modes->write, answering(write, 200, std::move(warnings)));
}

void patch(WriteRequest write) {
    auto status = is_status(write);
    if (!status) return;
    auto modes = parse_modes(write.request.query);
    if (!modes) return refuse(write, modes.error());
    std::string_view type = write.request.headers.get("Content-Type");
    type = type.substr(0, type.find(';'));
    // For the maps that a Namespace has, a strategic merge is a plain merge.
    bool plain = type == "application/merge-patch+json" ||
                 (type == "application/strategic-merge-patch+json" && write.resource.view == View::as_namespace);
    if (!plain) {
        Error error{Code::unsupported,
                    "Content-Type: \"" + std::string(type.substr(0, 80)) +
                        "\" is not offered; send application/merge-patch+json" +
                        (type == "application/apply-patch+yaml" ? " (kubectl apply without --server-side)" : "")};
        return write.responder->respond(refusal_of_type(error, write.resource));
    }
    auto change = parse_json(write.request.body);
    if (!change) return refuse(write, change.error());
    if (!change->members())
        return refuse(write, {Code::invalid, "a merge patch is an object, not " + std::string(change->shape())});
    patch_once(std::move(write), std::move(*change), *modes, *status, 1);
}

void remove(WriteRequest write) {
    auto modes = parse_modes(write.request.query);
    if (!modes) return refuse(write, modes.error());
    cell::Preconditions preconditions;
    // kubectl writes its options into the body, other clients into the query.
    bool orphans =
        write.request.query.get("propagationPolicy") == "Orphan" || write.request.query.get("orphanDependents") == "true";
    if (!write.request.body.empty()) {
        auto body = parse_body(write.request);
        if (!body) return refuse(write, body.error());
        auto* flag = body->find("orphanDependents");
        orphans = orphans || body->text("propagationPolicy") == "Orphan" || (flag && *flag == Json(true));
        if (auto* preconditions_given = body->find("preconditions")) {
            if (auto uid = preconditions_given->text("uid"); !uid.empty()) preconditions.uid = uid;
            if (auto version = preconditions_given->text("resourceVersion"); !version.empty())
                preconditions.resource_version = version;
        }
        if (auto* dry = body->find("dryRun"); dry && dry->array_items())
            for (const Json& item : *dry->array_items()) {
                if (!item.string() || *item.string() != "All")
                    return refuse(write, {Code::invalid, "dryRun: only [\"All\"] is known"});
                modes->write.dry_run = true;
            }
    }
    if (orphans)
        return refuse(write, {Code::invalid,
                              "propagationPolicy: \"Orphan\" is not offered: what an object made goes with it (try Background)"});
    store::Key key = write.resource.key();
    write.cell.admission().remove(
        write.who, key, preconditions, modes->write,
        [responder = write.responder, resource = write.resource](std::expected<cell::Admitted, cell::Refusal> outcome) {
            if (!outcome) return responder->respond(refusal(outcome.error(), resource));
            responder->respond(warned(json_response(200, deleted_json(resource, outcome->object->uid.text())), *outcome));
        });
}

} // namespace skerry::api
