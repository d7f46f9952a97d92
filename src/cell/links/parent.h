#pragma once

#include "cell/leases/own_lease.h"
#include "cell/links/link.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::cell {

/// The link to the parent: dials its addresses in turn, with back-off and full jitter, for ever.
///
/// The back-off starts afresh only once a connection has led to agreement or lasted a while, so that a link that always ends the
/// same way never spins.
class Parent {
public:
    struct Dialing {
        std::vector<std::string> addresses;
        Duration first{}, most{};
    };
    /// `told`: the parent says something that loops want to know.
    Parent(LinkContext, Dialing, OwnLease&, std::function<void()> told);
    ~Parent();

    void start();
    /// Made where there is none yet.
    Link& link_to(const env::Peer&);
    void refresh(const store::Key&, const store::Object* before);
    void changed(const store::Change&);
    void look() {
        if (link_) link_->look();
    }
    /// Asks for a lease from now on, or no longer.
    void want_lease(bool);
    std::optional<PeerView> view() const;
    bool is_recalling() const { return link_ && link_->has_wire() && link_->view().recalling; }

private:
    void dial();
    void dialled(Result<std::unique_ptr<env::Wire>>);
    void turned(bool up, const std::string& why);
    void dial_later();

    LinkContext context_;
    Dialing dialing_;
    OwnLease& lease_;
    std::function<void()> told_;
    std::vector<std::string> names_taken_;
    std::size_t next_ = 0;
    unsigned failures_ = 0;
    Instant up_since_ = Instant::never();
    std::string trouble_ = "not dialled yet";
    std::unique_ptr<Link> link_;
    std::unique_ptr<env::Timer> attempt_, timer_;
};

} // namespace skerry::cell
