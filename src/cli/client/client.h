#pragma once

#include "base/result.h"
#include "cli/client/session.h"
#include "cli/line/command.h"

#include <memory>
#include <vector>

namespace skerry::cli {

/// --kubeconfig, --context, --project and so on: what every verb has that talks to a server.
std::vector<Option> connection_options();
/// A verb's own options, and those.
std::vector<Option> with_connection(std::vector<Option> own);

/// The server that the options and the environment name: --kubeconfig, $KUBECONFIG (a list with ':'),
/// /var/lib/skerry/admin.kubeconfig if it can be read, ~/.kube/config.
Result<Connection> find_connection(const Invocation&);
Result<std::unique_ptr<Session>> connect(const Invocation&);

/// Where `login` writes: --kubeconfig, the first of $KUBECONFIG, ~/.kube/config.
Result<std::string> own_kubeconfig_path(const Invocation&);

/// Whole file, at most `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = 16 << 20);

/// Prints "skerry: …" and returns the exit status that fits: 1, or `interrupted`.
int report(const Error&);
/// "skerry VERB: …" for a wrong command line, which is `wrong_usage`.
int misused(const char* verb, const std::string& why);

/// Runs `body` with a session and reports its error.
int with_session(const Invocation&, const std::function<Result<int>(Session&)>& body);

} // namespace skerry::cli
