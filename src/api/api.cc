#include "api/api.h"

#include "api/discovery.h"
#include "api/pod_log.h"
#include "api/read.h"
#include "api/resource.h"
#include "api/status.h"
#include "api/watches.h"
#include "api/write.h"

namespace skerry::api {

namespace {

std::string site_of(cell::Cell& cell) { return cell.self().role == env::Peer::Role::site ? cell.self().name : std::string(); }

/// As much of a request as says who asks.
std::shared_ptr<const http::Request> credentials(const http::Request& request) {
    auto kept = std::make_shared<http::Request>();
    kept->peer = request.peer;
    kept->headers.add("Authorization", std::string(request.headers.get("Authorization")));
    return kept;
}

} // namespace

struct Api::State {
    Options options;
    std::string site; ///< whose API it is; empty: no site's
    Watches watches;

    explicit State(Options given)
        : options(std::move(given)), site(site_of(options.cell)), watches(options.cell.env(), options.cell.store(), site) {}

    void read(const trust::Identity&, const Resource&, const http::Request&, const std::shared_ptr<http::Responder>&);
    /// Whether the same caller might read it now.
    Permit::Check asked_again(const Resource&, const http::Request&) const;
    void write(const trust::Identity&, const Resource&, const http::Request&, const std::shared_ptr<http::Responder>&);
};

Api::Api(Options options) : state_(std::make_unique<State>(std::move(options))) {}
Api::~Api() = default;

bool Api::answer(const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
    std::string_view path = request.path;
    if (path == "/healthz" || path == "/livez" || path == "/readyz") {
        responder->respond(http::Response::text(200, "ok"));
        return true;
    }
    bool ours = path == "/version" || path == "/api" || path.starts_with("/api/") || path == "/apis" ||
                path.starts_with("/apis/") || path.starts_with("/openapi/");
    if (!ours) return false;
    auto who = state_->options.identify(request);
    if (!who) {
        responder->respond(refusal(who.error()));
        return true;
    }
    auto resource = parse_path(path);
    bool reads = request.method == "GET" || request.method == "HEAD";
    if (!resource) {
        auto found = discover(path, state_->options.version);
        if (found && !reads)
            responder->respond(refusal({Code::unsupported, request.method + " is not offered here; only GET"}));
        else
            responder->respond(found ? std::move(*found)
                                     : refusal({Code::not_found, "the server could not find the requested resource: " +
                                                                     std::string(path.substr(0, 200))}));
        return true;
    }
    if (reads)
        state_->read(*who, *resource, request, responder);
    else
        state_->write(*who, *resource, request, responder);
    return true;
}

void Api::State::read(const trust::Identity& who, const Resource& resource, const http::Request& request,
                      const std::shared_ptr<http::Responder>& responder) {
    if (auto allowed = options.cell.admission().may_read(who, resource.kind, resource.project, resource.name); !allowed)
        return responder->respond(refusal(allowed.error(), &resource));
    if (resource.name.empty()) {
        bool watch = request.query.get("watch") == "true" || request.query.get("watch") == "1";
        if (watch) return watches.open(resource, request, responder, asked_again(resource, request));
        return responder->respond(list(options.cell, site, resource, request, options.cell.env().clock.wall()));
    }
    if (resource.subresource == "log" && resource.kind == model::Kind::instance && options.logs)
        return serve_log(options.cell.env().timers, options.cell.store(), *options.logs, resource, request, responder,
                         asked_again(resource, request));
    if (!resource.subresource.empty() && resource.subresource != "status")
        return responder->respond(refusal({Code::not_found, "there is no subresource \"" + resource.subresource + "\" of " +
                                                                std::string(facts(resource.view, resource.kind).plural)},
                                          &resource));
    responder->respond(get(options.cell, site, resource, request, options.cell.env().clock.wall()));
}

Permit::Check Api::State::asked_again(const Resource& resource, const http::Request& request) const {
    return [this, who = credentials(request), kind = resource.kind, project = resource.project,
            name = resource.name]() -> Result<void> {
        return options.cell.admission().may_read(TRY(options.identify(*who)), kind, project, name);
    };
}

void Api::State::write(const trust::Identity& who, const Resource& resource, const http::Request& request,
                       const std::shared_ptr<http::Responder>& responder) {
    auto refuse_method = [&](std::string why) { responder->respond(refusal({Code::unsupported, std::move(why)}, &resource)); };
    if (resource.view == View::as_pod || resource.view == View::as_event)
        return refuse_method(std::string(facts(resource.view, resource.kind).plural) +
                             " are made by Skerry and can only be read");
    WriteRequest write{options.cell, who, resource, request, responder};
    if (resource.name.empty()) {
        if (request.method == "POST") return create(std::move(write));
        if (request.method == "DELETE") return refuse_method("deleting a whole collection is not offered; name the objects");
    } else {
        if (request.method == "PUT") return update(std::move(write));
        if (request.method == "PATCH") return patch(std::move(write));
        if (request.method == "DELETE" && resource.subresource.empty()) return remove(std::move(write));
    }
    refuse_method(request.method + " is not offered for " + request.path.substr(0, 200));
}

} // namespace skerry::api
