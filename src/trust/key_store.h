#pragma once

#include "base/result.h"
#include "env/files.h"

#include <string>
#include <string_view>

namespace skerry::trust {

/// A private key and the certificates that speak for it.
struct KeyPair {
    std::string chain_pem;
    std::string key_pem;
};

/// A cell's keys on disk, readable by their owner only:
///
///     <folder>/cell.key       made before the join, never changed by a renewal
///     <folder>/cell.chain     own certificate, up to the root
///     <folder>/authority.key  of a core or site
///     <folder>/authority.chain
///     <folder>/parent.chain   the parent's authority, pinned
///
/// Every write is whole or not at all, also across a power cut, and durable when the call returns. Calls block.
class KeyStore {
public:
    /// The folder is made if need be; its parent must exist.
    KeyStore(env::Files& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

    /// The key of that name, made (and durable) if there is none.
    Result<std::string> ensure_key(std::string_view name);
    Result<void> put_key(std::string_view name, std::string_view key_pem);
    /// Takes a chain whose first certificate is for the stored key, or any chain where there is no key of that name.
    Result<void> put_chain(std::string_view name, std::string_view chain_pem);
    /// Both at once; `not_found` while one is missing, `corrupt` where they do not belong together.
    Result<KeyPair> load(std::string_view name);
    Result<std::string> load_chain(std::string_view name);

private:
    std::string path(std::string_view name, std::string_view kind) const;
    Result<void> put(std::string_view name, std::string_view kind, std::string_view content);

    env::Files& files_;
    std::string folder_;
};

} // namespace skerry::trust
