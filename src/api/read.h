#pragma once

#include "api/resource.h"
#include "base/time.h"
#include "cell/cell.h"
#include "http/message.h"

namespace skerry::api {

/// GET of one object, as itself or as a Table of one row. `site`: whose API it is, so that Apps are shown with its Overrides;
/// empty where it is no site's.
http::Response get(cell::Cell&, const std::string& site, const Resource&, const http::Request&, WallTime now);

/// GET of a collection: labelSelector, fieldSelector, limit and continue, as a List or a Table. A continued list goes on behind
/// the last name, over the objects as they are then.
http::Response list(cell::Cell&, const std::string& site, const Resource&, const http::Request&, WallTime now);

} // namespace skerry::api
