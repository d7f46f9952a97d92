#pragma once

#include "store/store.h"
#include "trust/identity.h"
#include "trust/renewal.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::main {

/// Whose keys speak for this cell's children, and which keys never do again (rule T2). Notes of the store: space "member" by
/// "site/NAME" or "node/NAME"; space "revoked" by key. Nothing of it is ever pruned.
class Register {
public:
    explicit Register(store::Store&);

    /// As `put` last, also before that is durable.
    std::optional<trust::Member> member(const trust::Identity&) const;
    std::vector<std::pair<std::string, trust::Member>> members() const;
    /// Members that joined before seats were noted get theirs (cell/links/seats.h): of the Site or Node there is, or of none where that
    /// is gone. Durable when it returns.
    Result<void> seat_all();
    /// Commits the record with the rest of the transaction. From now on nothing is decided by an older one, so that what was read before
    /// a join cannot undo it; should the commit be refused, that one stands again.
    void put(store::Transaction, const trust::Identity&, const trust::Member&, std::function<void(Result<store::Number>)> then);

    struct Revocation {
        std::string key;    ///< fingerprint
        std::string holder; ///< "site store-17"
        std::string reason;
        std::string when; ///< RFC 3339
    };
    /// From memory.
    bool is_revoked(std::string_view key) const { return revoked_.contains(key); }
    std::vector<Revocation> revocations() const;
    /// In force at once; durable with the transaction. Repeated for a key, the first one stands.
    void revoke(store::Transaction&, Revocation);

private:
    struct Pending {
        trust::Member member;
        std::uint64_t serial = 0;
    };

    store::Store& store_;
    std::shared_ptr<std::map<std::string, Pending>> pending_ = std::make_shared<std::map<std::string, Pending>>(); ///< by tag
    std::uint64_t puts_ = 0;
    std::map<std::string, Revocation, std::less<>> revoked_;
};

} // namespace skerry::main
