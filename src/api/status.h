#pragma once

#include "api/resource.h"
#include "base/json.h"
#include "base/result.h"
#include "cell/gate/admission.h"
#include "http/message.h"

namespace skerry::api {

/// Kubernetes' Status object: the one form of refusal that its clients print well.
http::Response refusal(const Error&, const Resource* about = nullptr);
http::Response refusal(const cell::Refusal&, const Resource& about);
/// Of bytes that were to be kept. Here as for a write, what is exhausted is room on a disk, which no waiting brings back (507).
http::Response refusal_of_bytes(const Error&);
/// Of a body in a form that is not offered (415).
http::Response refusal_of_type(const Error&, const Resource& about);
/// As a value, for watches (`{"type": "ERROR", "object": …}`).
Json status_json(const Error&, const Resource* about);
/// Status "Success" for a delete.
Json deleted_json(const Resource&, std::string_view uid);

http::Response json_response(int status, const Json&);

} // namespace skerry::api
