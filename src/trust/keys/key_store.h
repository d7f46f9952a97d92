#pragma once

#include "base/result.h"
#include "env/files.h"

#include <map>
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
///     <folder>/parent.chain   the parent's authority, pinned: the newest key's first, then those it followed
///     <folder>/succession     of a core's or site's authority: how each key vouched for the next (trust/succession.h)
///     <folder>/join-ID.key    made for a join with that token, until it is complete
///     <folder>/pending        a change of several of these that is under way: see `put_all`
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

    /// Replaces all of these files, by full name ("cell.key"), or none: a power cut anywhere leaves either the old ones or the
    /// new ones, never a mix (rule T2). Keys and chains that do not belong together are `corrupt`, and nothing is changed.
    ///
    /// The new contents become durable as one file, `pending`, and are then put in place; whoever reads next after a cut in
    /// between finishes that first.
    Result<void> put_all(const std::map<std::string, std::string>& files);
    /// A file that is neither key nor chain; `not_found` where there is none.
    Result<std::string> load_file(std::string_view name, std::size_t limit);
    Result<void> remove_key(std::string_view name);

private:
    std::string path(std::string_view name, std::string_view kind) const;
    std::string path(std::string_view file) const { return folder_ + "/" + std::string(file); }
    Result<void> put(std::string_view name, std::string_view kind, std::string_view content);
    Result<void> put_file(std::string_view file, std::string_view content);
    /// Finishes a `put_all` that was cut off.
    Result<void> settle();

    env::Files& files_;
    std::string folder_;
    bool settled_ = false;
};

} // namespace skerry::trust
