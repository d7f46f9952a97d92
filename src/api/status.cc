#include "api/status.h"

#include "http/status.h"
#include "model/rules/problems.h"

namespace skerry::api {

namespace {

/// The reasons of metav1.StatusReason, by which clients tell refusals apart.
std::string_view reason_of(Code code) {
    switch (code) {
    case Code::invalid:
        return "Invalid";
    case Code::not_found:
        return "NotFound";
    case Code::exists:
        return "AlreadyExists";
    case Code::conflict:
        return "Conflict";
    case Code::gone:
        return "Expired";
    case Code::forbidden:
        return "Forbidden";
    case Code::unauthenticated:
        return "Unauthorized";
    case Code::unavailable:
        return "ServiceUnavailable";
    case Code::exhausted:
        return "TooManyRequests";
    case Code::timeout:
        return "Timeout";
    case Code::unsupported:
        return "NotImplemented";
    default:
        return "InternalError";
    }
}

Json details(const Resource& about) {
    ViewFacts view = facts(about.view, about.kind);
    Json details = Json::object({{"kind", view.plural}});
    if (view.view == View::own) details.set("group", "skerry");
    if (!about.name.empty()) details.set("name", about.name);
    return details;
}

} // namespace

http::Response json_response(int status, const Json& json) { return http::Response::json(status, write_json(json) + "\n"); }

Json status_json(const Error& error, const Resource* about) {
    Json status = Json::object({{"kind", "Status"},
                                {"apiVersion", "v1"},
                                {"metadata", Json::object()},
                                {"status", "Failure"},
                                {"message", error.message},
                                {"reason", reason_of(error.code)}});
    if (about) status.set("details", details(*about));
    status.set("code", http::status_of(error.code));
    return status;
}

http::Response refusal(const Error& error, const Resource* about) {
    http::Response response = json_response(http::status_of(error.code), status_json(error, about));
    if (error.code == Code::unavailable || error.code == Code::exhausted) response.headers.set("Retry-After", "1");
    return response;
}

namespace {

constexpr int insufficient_storage = 507; // RFC 4918

http::Response response_to_write(const Error& error, Json status) {
    if (error.code != Code::exhausted) return json_response(http::status_of(error.code), status);
    status.set("reason", "InsufficientStorage");
    status.set("code", insufficient_storage);
    return json_response(insufficient_storage, status);
}

} // namespace

http::Response refusal_of_bytes(const Error& error) { return response_to_write(error, status_json(error, nullptr)); }

http::Response refusal(const cell::Refusal& refused, const Resource& about) {
    Json status = status_json(refused.error, &about);
    if (!refused.problems.empty()) {
        Json causes = Json::array();
        for (const model::Problem& problem : refused.problems)
            causes.push(Json::object({{"reason", "FieldValueInvalid"}, {"message", problem.message}, {"field", problem.field}}));
        status.find("details")->set("causes", std::move(causes));
    }
    return response_to_write(refused.error, std::move(status));
}

http::Response refusal_of_type(const Error& error, const Resource& about) {
    constexpr int unsupported_media_type = 415; // RFC 9110
    Json status = status_json(error, &about);
    status.set("reason", "UnsupportedMediaType");
    status.set("code", unsupported_media_type);
    return json_response(unsupported_media_type, status);
}

Json deleted_json(const Resource& resource, std::string_view uid) {
    Json about = details(resource);
    about.set("uid", uid);
    return Json::object({{"kind", "Status"},
                         {"apiVersion", "v1"},
                         {"metadata", Json::object()},
                         {"status", "Success"},
                         {"details", std::move(about)}});
}

} // namespace skerry::api
