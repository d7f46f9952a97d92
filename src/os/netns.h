#pragma once

#include "base/result.h"

#include <functional>
#include <string>

/// Network namespaces that live by a bind mount of their own, as network_namespaces(7) describes.
namespace skerry::os {

/// A new namespace at `path`, with its loopback link down. One that is there already is left as it is; the folder must exist.
Result<void> make_netns(const std::string& path);
/// Whether a namespace is mounted at `path`.
Result<bool> is_netns(const std::string& path);
/// Unmounts and removes `path`. The kernel ends the namespace, and links in it, once no process or socket uses it. None is fine.
Result<void> remove_netns(const std::string& path);

/// Makes `call` with the calling thread, and only it, inside the namespace; sockets and child processes made there stay there.
/// The thread is outside again when this returns; if the kernel refused that, the process would abort.
Result<void> in_netns(const std::string& path, const std::function<Result<void>()>& call);

} // namespace skerry::os
