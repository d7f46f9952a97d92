#pragma once

#include "cell/leases/lessor.h"
#include "cell/links/arrivals.h"
#include "cell/links/doubles.h"
#include "cell/links/link.h"
#include "cell/links/slots.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace skerry::model {
class Revision;
}

namespace skerry::cell {

/// The links to all children, and which of them are in touch.
///
/// A child is in touch from its hello until its patience is over: three beats and two seconds after it was last heard. A wire
/// that closes and comes back within that changes nothing. What that means for its Site or Node is for the role's loop to say,
/// which is woken when it changes. One whose Site or Node is deleted, or whose name another cell has joined for, is out of touch at
/// once, and no child any more (`seats.h`).
class Children {
public:
    /// `touched` is called when a child comes into touch or goes out of it.
    Children(LinkContext, OwnLease&, Slots::Limits, std::function<void()> touched);
    ~Children();

    void accept(std::unique_ptr<env::Wire>);
    /// Made where there is none yet.
    Link& link_to(const env::Peer&);
    void dismiss(env::Peer::Role, const std::string& name, const std::string& why);
    /// For each peer and member that the closure named.
    void refresh(const std::string& tag, const store::Key&, const store::Object* before);
    /// A change of any object, after `refresh`.
    void changed(const store::Change&);

    /// There may be room for what waited on the link of this tag.
    void look(const std::string& tag);
    void hold_leases(bool held) { lessor_.hold(held); }
    void grant_nothing(std::string why) { lessor_.grant_nothing(std::move(why)); }
    /// The longest that was ever granted, as far as is known, or that a Site of today would get. Zero where nothing was granted and
    /// nothing is known that needs a lease.
    Duration longest_lease() const;
    /// Something that this cell forgot is on its way back from one of them.
    bool is_recalling() const;

    std::vector<PeerView> views() const;
    std::optional<PeerView> view(std::string_view name, std::optional<env::Peer::Role>) const;

private:
    struct Child {
        std::unique_ptr<Link> link;
        IncarnationId incarnation; ///< of the cell that called last
        bool in_touch = false;
        std::unique_ptr<env::Timer> timer; ///< its patience
    };

    bool turn(const std::string& tag, bool wants);
    void give_turns();
    void let_go(const std::string& tag, Child&);
    void met(std::unique_ptr<env::Wire>, const sync::Hello&, std::string message);
    Duration beat_of(const std::string& tag) const;
    void turned(const std::string& tag, bool up, const std::string& why);
    PeerView view_of(const std::string& tag, const Child&) const;
    PeerView absent(const std::string& tag) const;
    Duration lease_of(const std::string& tag) const;
    Duration unnoted_lease() const;
    bool drops_orphans(const std::string& tag) const;

    LinkContext context_;
    Lessor lessor_;
    Doubles doubles_;
    Arrivals arrivals_;
    std::function<void()> touched_;
    Slots slots_;
    std::unique_ptr<env::Timer> turns_timer_;
    bool turns_posted_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    std::map<std::string, Child, std::less<>> children_;
    /// By tag: those whose link may keep something out. Few, so that a new object is no matter of all children.
    std::set<std::string> keeping_out_;
};

/// Time between two beats of a child: of its first uplink's profile (lan 1 s, dsl 15 s, cellular 60 s, satellite 300 s) or as
/// that uplink says. A site that names no uplink counts as dsl, a node as lan.
Duration beat_of_site(const google::protobuf::Message& site);
/// Length of a child's lease (rule F1): as its first uplink says, else five beats and the ten seconds that work has to stop.
Duration lease_of_site(const google::protobuf::Message& site);
/// Whether the component of this name may run only once.
bool needs_lease(const model::Revision&, const std::string& component);

} // namespace skerry::cell
