#include "cell/leases/own_lease.h"

namespace skerry::cell {

Leases::Own OwnLease::view() const {
    if (!has_parent_) return {.until = Instant::never(), .length = {}, .trouble = {}};
    Leases::Own own{.until = until_, .length = length_, .trouble = {}};
    if (own.runs(clock_.now())) return own;
    own.trouble = !refused_.empty() ? "the parent grants no lease: " + refused_
                  : ever_           ? "the lease ended, and the parent was not heard since (rule F1)"
                                    : "no lease since this machine or its daemon started, and the parent was not heard (rule F2)";
    return own;
}

void OwnLease::want(std::string_view who, bool wanted) {
    bool was = this->wanted();
    if (wanted)
        wanting_.emplace(who);
    else if (auto at = wanting_.find(who); at != wanting_.end())
        wanting_.erase(at);
    if (was != this->wanted()) changed_();
}

void OwnLease::recall(Instant until, Duration length) {
    if (until <= until_) return;
    until_ = until;
    length_ = length;
    ever_ = true;
    tell();
}

void OwnLease::heard(const sync::HeldLease& lease, const std::string& refused) {
    bool is_news = lease.until > until_ || refused != refused_;
    refused_ = refused;
    if (lease.until > until_) {
        until_ = lease.until;
        length_ = lease.length;
        ever_ = true;
    }
    if (is_news) tell();
}

void OwnLease::tell() {
    for (const std::string& loop : wanting_) wake_(loop);
}

} // namespace skerry::cell
