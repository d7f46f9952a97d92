#pragma once

#include "base/result.h"
#include "env/env.h"
#include "env/files.h"
#include "http/tls.h"
#include "store/store.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/join.h"
#include "trust/key_store.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// Who this cell is, and the keys that prove it.
///
/// The first start of a core makes the fleet's authority. A site or node joins once with a token; afterwards its keys, its name
/// and its parent's addresses are on its own disk, and it needs nobody to start. Notes space "self": role, name, site, parents
/// (one address each line), advertised addresses.
class Membership {
public:
    Membership(env::Env env, env::Files& files, store::Store& store, std::string keys_folder);

    struct Known {
        trust::Identity identity;
        std::vector<std::string> parents;
        std::vector<std::string> advertised; ///< addresses that tokens gave to children, besides those of the options
    };
    /// None before the first start or join.
    Result<std::optional<Known>> load();

    /// Makes the fleet's authority and the core's own certificate; repeating it changes nothing but the advertised addresses.
    Result<Known> ensure_core(const std::string& name, const std::vector<std::string>& advertised);

    /// The request to post, with keys that are on disk before it is sent, so that it can be posted again after a lost answer.
    Result<trust::JoinRequest> prepare_join(const trust::JoinToken&);
    /// Checks and stores what came back; durable when it calls back.
    Result<void> complete_join(const trust::JoinToken&, const trust::JoinRequest&, const trust::JoinAnswer&,
                               store::Transaction& notes);

    /// A core's or site's authority; after `load` found one.
    const std::optional<trust::Authority>& authority() const { return authority_; }
    /// Certificates that may speak to this cell: its own authority's and the root's.
    const std::vector<std::string>& anchors() const { return anchors_; }
    /// Fingerprints of the parent's authority.
    const std::vector<std::string>& pinned() const { return pinned_; }

    /// What this cell shows as a client and as a server. A site's or core's server certificate is issued by its own authority for
    /// the addresses it is reached at.
    Result<http::Credentials> link_credentials();
    Result<http::Credentials> server_credentials(const std::vector<std::string>& addresses);
    /// A certificate for a person, for ten years.
    Result<http::Credentials> user_credentials(const std::string& user, const std::vector<std::string>& groups);

    static void write_notes(store::Transaction&, const Known&);

private:
    Result<Known> open(Known);

    env::Env env_;
    store::Store& store_;
    trust::KeyStore keys_;
    std::optional<Known> known_;
    std::optional<trust::Authority> authority_;
    std::vector<std::string> anchors_;
    std::vector<std::string> pinned_;
};

} // namespace skerry::main
