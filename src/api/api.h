#pragma once

#include "api/logs.h"
#include "base/result.h"
#include "cell/cell.h"
#include "http/server.h"
#include "trust/tokens/rights.h"

#include <functional>
#include <memory>
#include <string>

namespace skerry::api {

struct Options {
    cell::Cell& cell;
    std::string version;
    /// Who asks; `unauthenticated` answers 401.
    std::function<Result<trust::Identity>(const http::Request&)> identify;
    LogSource* logs = nullptr; ///< outlives the Api
};

/// The HTTP API in the Kubernetes resource model: translates requests to admission and store, and back.
///
/// `/apis/skerry/v1` serves every kind. `/api/v1` serves what kubectl expects of a cluster's core: namespaces (our Projects),
/// events, and read-only pods (our Instances) with their logs. The design is Kubernetes' API conventions; what is not offered is
/// refused with a sentence, never ignored.
class Api {
public:
    explicit Api(Options);
    ~Api();

    /// Answers the request if its path is the API's; false: somebody else's path.
    bool answer(const http::Request&, const std::shared_ptr<http::Responder>&);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace skerry::api
