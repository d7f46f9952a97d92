#pragma once

#include "base/result.h"
#include "http/tls.h"

#include <string>

namespace skerry::main {

/// The text of a kubeconfig file with one cluster, user and context, everything embedded; kubectl and `skerry` read it.
std::string write_kubeconfig(const std::string& name, const std::string& server, const std::string& authority_pem,
                             const http::Credentials& user);

} // namespace skerry::main
