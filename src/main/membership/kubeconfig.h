#pragma once

#include "base/result.h"
#include "http/tls.h"

#include <functional>
#include <string>

namespace skerry::main {

/// The text of a kubeconfig file with one cluster, user and context, everything embedded; kubectl and `skerry` read it.
std::string write_kubeconfig(const std::string& name, const std::string& server, const std::string& authority_pem,
                             const http::Credentials& user);

/// Whether such a text names this server and its user's certificate is accepted.
bool kubeconfig_works(const std::string& text, const std::string& server, const std::function<bool(const http::Chain&)>& accepts);

} // namespace skerry::main
