#pragma once

#include "base/json.h"
#include "base/result.h"
#include "http/tls.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// One server as a kubeconfig tells of it, and who asks.
struct Connection {
    std::string server; ///< "https://core:7443"
    std::string project = "default";
    http::ClientTlsOptions tls;
    std::string authorization; ///< "Bearer …"
    std::string origin;        ///< for messages: which file and context
};

/// A kubeconfig file as read: its objects by name.
struct Kubeconfig {
    std::string path; ///< names of files in it are relative to its folder
    Json content;
};

/// `invalid` unless it is a YAML mapping.
Result<Kubeconfig> parse_kubeconfig(std::string path, std::string_view text);

/// Reads a file that a kubeconfig names.
using ReadFile = std::function<Result<std::string>(const std::string& path)>;

/// The context of that name, or the current one where it is empty. As kubectl does, the first file that has a name wins. Errors
/// name the file, the entry and the field: `…/config: users[admin].client-key-data: not base64`.
Result<Connection> choose_context(const std::vector<Kubeconfig>&, std::string_view context, const ReadFile&);

/// What `skerry login` puts into a kubeconfig: replaces cluster, user and context of the same names, keeps all else.
struct Entry {
    std::string name;
    Json cluster;
    Json user;
    std::string project;
};
Result<void> put_context(Json& content, const Entry&);

} // namespace skerry::cli
