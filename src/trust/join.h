#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "trust/authority.h"
#include "trust/tokens/join_token.h"

#include <map>
#include <string>

namespace skerry::trust {

/// What a joining cell posts to its parent, over TLS pinned to the token's authority. It made (and kept) its keys before, so that
/// it can ask again with the same ones when the answer is lost.
struct JoinRequest {
    Id token;
    std::string secret;            ///< 32 bytes
    CellId cell;                   ///< the joining cell's id
    std::string request;           ///< for its own key, PEM
    std::string authority_request; ///< sites only: for the key of its authority, PEM
    Json json() const;
    static Result<JoinRequest> from_json(const Json&);
};

struct JoinAnswer {
    std::string chain;            ///< own certificate, then up to the root, PEM
    std::string authority_chain;  ///< sites only: the authority's certificate, then up to the root
    std::string parent_authority; ///< the certificate to pin from now on (the token named its fingerprint)
    Identity parent;
    Duration life = 24h * 90; ///< of `chain`
    Json json() const;
    static Result<JoinAnswer> from_json(const Json&);
};

/// What the parent keeps of a token it gave out. Holds no secret: only its hash.
struct TokenRecord {
    Id id;
    std::string secret_hash; ///< SHA-256, 32 bytes
    JoinKind kind = JoinKind::site;
    std::string name;
    std::map<std::string, std::string> labels; ///< for the Site or Node object that the join makes
    Uid object;                                ///< the Site or Node that it is for; none in records of before
    bool replaces = false;                     ///< whoever uses it may take the place of one that has joined
    WallTime expires;
    std::string used_by; ///< fingerprint of the key that joined; empty: unused
    CellId cell;         ///< that joined
    JoinAnswer answer;   ///< what it was given
    Json json() const;
    static Result<TokenRecord> from_json(const Json&);
};

TokenRecord record_of(const JoinToken&, std::map<std::string, std::string> labels = {});

/// Answers a join. The caller stores `record` durably before it sends `answer`.
///
/// Repeated with the same key, the same answer, also after the token's end; `forbidden` with another key or cell,
/// `unauthenticated` with a wrong secret or past its end. Pure: `parent_authority` signs.
struct Redeemed {
    TokenRecord record;
    JoinAnswer answer;
    Identity identity; ///< the new cell's
    bool repeated = false;
};
struct RedeemTerms {
    WallTime now;             ///< the parent's clock: when what it signs begins
    WallTime judged;          ///< what the token's end is compared with (rule T1)
    Duration life = 24h * 90; ///< of the cell's certificate
};
Result<Redeemed> redeem(const TokenRecord&, const JoinRequest&, const Authority& parent_authority, const RedeemTerms&);

/// The joining side's check of an answer: that the certificates are for its keys, name and cell, that their authority is the one
/// the token pinned. Returns its own identity.
Result<Identity> accept(const JoinToken&, const JoinRequest&, const JoinAnswer&);

} // namespace skerry::trust
