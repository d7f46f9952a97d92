#pragma once

#include "api/logs.h"
#include "api/resource.h"
#include "http/server.h"
#include "store/store.h"

#include <memory>

namespace skerry::api {

/// GET …/pods/NAME/log and …/instances/NAME/log: follow, tailLines, timestamps, previous, limitBytes, container.
void serve_log(const store::Store&, LogSource&, const Resource&, const http::Request&, const std::shared_ptr<http::Responder>&);

} // namespace skerry::api
