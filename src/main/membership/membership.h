#pragma once

#include "base/result.h"
#include "env/env.h"
#include "env/files.h"
#include "http/tls.h"
#include "store/store.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/join.h"
#include "trust/keys/key_store.h"
#include "trust/renewal.h"
#include "trust/succession.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// Who this cell is, and the keys that prove it.
///
/// The first start of a core makes the fleet's authority. A site or node joins once with a token; afterwards its keys, its name
/// and its parent's addresses are on its own disk, and it needs nobody to start. Joining again with a new token keeps the cell
/// and all it holds, and changes its keys. Notes space "self": role, name, site, tier, parents (one address each line), the token it
/// joined with, how long its certificates are good.
class Membership {
public:
    Membership(env::Env env, env::Files& files, store::Store& store, std::string keys_folder);

    struct Known {
        trust::Identity identity;
        std::vector<std::string> parents;
        std::vector<std::string> advertised; ///< addresses that tokens gave to children, besides those of the options
        std::string token;                   ///< id of the one it joined with last
        Duration life = trust::member_life;  ///< of its certificates
        bool region = false;                 ///< a site with sites below it
        /// "region emea", "site store-17": for messages.
        std::string title() const { return region ? "region " + identity.name : identity.title(); }
    };
    /// None before the first start or join.
    Result<std::optional<Known>> load();

    /// Makes the fleet's authority and the core's own certificate; repeating it changes nothing but the advertised addresses.
    Result<Known> ensure_core(const std::string& name, const std::vector<std::string>& advertised);

    /// The request to post, with keys that are on disk before it is sent, so that it can be posted again after a lost answer.
    Result<trust::JoinRequest> prepare_join(const trust::JoinToken&);
    /// Checks and stores what came back: all keys at once, then the notes, which the caller commits. Cut off in between, the same
    /// token gives the same answer again.
    Result<void> complete_join(const trust::JoinToken&, const trust::JoinRequest&, const trust::JoinAnswer&,
                               store::Transaction& notes);

    /// The notes are durable: what was made for this join alone goes.
    void forget_join(const trust::JoinToken&);

    /// A core's or site's authority; after `load` found one.
    const std::optional<trust::Authority>& authority() const { return authority_; }
    /// Certificates that may speak to this cell: its own authority's, also of earlier keys, the root's, the parent's.
    const std::vector<std::string>& anchors() const { return anchors_; }
    /// Keys of the parent's authority, by fingerprint, newest first; and their certificates.
    const std::vector<std::string>& pinned() const { return pinned_; }
    const std::vector<std::string>& parent_authorities() const { return parent_authorities_; }
    /// Of the own authority.
    const trust::Succession& succession() const { return succession_; }

    /// Whether the parent should be asked for new certificates: a third of their life or less is left, or an older key of the
    /// parent's issued them.
    bool wants_certificates() const;
    std::optional<WallTime> certificate_ends() const { return ends_; }
    Duration life() const { return known_ ? known_->life : trust::member_life; }
    Result<trust::RenewalRequest> renewal_request(Id nonce, bool certificates);
    /// Checks what came and puts all of it in place, or nothing.
    Result<void> complete_renewal(const trust::RenewalRequest&, const trust::RenewalAnswer&);
    /// Pins the keys that followed the newest pinned one (as `trust::follow` found them).
    Result<void> follow(const std::vector<std::string>& passed);

    /// A new key for a core's authority. `vouched`: the old key signs the new one, so that children and clients find the way by
    /// themselves. Not `vouched` (the old key is in wrong hands): whoever joined must join again.
    Result<void> change_authority(bool vouched);

    /// What this cell shows as a client and as a server. A site's or core's server certificate is issued by its own authority for
    /// the addresses it is reached at.
    Result<http::Credentials> link_credentials();
    Result<http::Credentials> server_credentials(const std::vector<std::string>& addresses);
    /// A certificate for a person, for ten years.
    Result<http::Credentials> user_credentials(const std::string& user, const std::vector<std::string>& groups);

    static void write_notes(store::Transaction&, const Known&);

private:
    Result<Known> open(Known);
    Result<trust::Succession> load_succession();

    env::Env env_;
    store::Store& store_;
    trust::KeyStore keys_;
    std::optional<Known> known_;
    std::optional<trust::Authority> authority_;
    std::vector<std::string> anchors_;
    std::vector<std::string> pinned_;
    std::vector<std::string> parent_authorities_;
    trust::Succession succession_;
    std::optional<WallTime> ends_; ///< of the own certificate from above
    std::string issued_by_;        ///< which of the pinned keys signed it
};

} // namespace skerry::main
