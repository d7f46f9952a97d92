#pragma once

#include "api/logs.h"
#include "api/permit.h"
#include "api/resource.h"
#include "env/env.h"
#include "http/server.h"
#include "store/store.h"

#include <memory>

namespace skerry::api {

/// GET …/pods/NAME/log and …/instances/NAME/log: follow, tailLines, timestamps, previous, limitBytes, container.
/// A log that is followed ends when `allowed` no longer holds.
void serve_log(env::Timers&, const store::Store&, LogSource&, const Resource&, const http::Request&,
               const std::shared_ptr<http::Responder>&, Permit::Check allowed);

} // namespace skerry::api
