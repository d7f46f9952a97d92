#pragma once

#include "api/resource.h"
#include "cell/cell.h"
#include "http/message.h"
#include "http/server.h"
#include "trust/identity.h"

#include <memory>

namespace skerry::api {

/// A request that changes something, on its way through admission. Bodies are JSON or YAML; `dryRun`, `force` and
/// `fieldValidation` are honoured or refused.
struct WriteRequest {
    cell::Cell& cell;
    trust::Identity who;
    Resource resource;
    http::Request request;
    std::shared_ptr<http::Responder> responder;
};

void create(WriteRequest);
/// PUT of the object or of its status.
void update(WriteRequest);
/// JSON merge patch (RFC 7386) of the object or of its status. Meets a concurrent change by starting over, a few times.
void patch(WriteRequest);
void remove(WriteRequest);

} // namespace skerry::api
