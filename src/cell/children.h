#pragma once

#include "cell/link.h"

#include <map>
#include <memory>
#include <string>

namespace skerry::cell {

/// The links to all children, and what this cell says of each site (part `seen` of its Site): whether it is in touch. Of nodes
/// that is for the site's loop to say, whose rule F7 it is.
///
/// `seen` changes only when that does, so an idle hour writes nothing. A wire that closes and comes back within the child's
/// patience (three beats and two seconds after it was last heard) changes nothing.
class Children {
public:
    Children(LinkContext);
    ~Children();

    /// After the store is indexed. Nobody has called yet: what was in touch before is unknown now.
    void start();
    void accept(std::unique_ptr<env::Wire>);
    /// For each peer and member that the closure named.
    void refresh(const std::string& tag, const store::Key&, const store::Object* before);
    /// A change of any object, after `refresh`.
    void changed(const store::Change&);

    std::vector<PeerView> views() const;
    std::optional<PeerView> view(std::string_view name, std::optional<env::Peer::Role>) const;
    Instant listening_since() const { return since_; }

private:
    enum class Touch { unknown, in, away };
    struct Child {
        std::unique_ptr<Link> link;
        Touch touch = Touch::unknown;
        std::unique_ptr<env::Timer> timer; ///< its patience
    };

    std::optional<store::Key> object_of(const std::string& tag) const;
    Duration beat_of(const std::string& tag) const;
    void turned(const std::string& tag, bool up, const std::string& why);
    void wait(const std::string& tag, Instant heard, std::string why);
    void write_seen(const std::string& tag, Touch, std::string_view reason, const std::string& message);
    PeerView view_of(const Child&) const;

    LinkContext context_;
    Instant since_{};
    std::map<std::string, Child, std::less<>> children_;
};

/// Time between two beats of a child: of its first uplink's profile (lan 1 s, dsl 15 s, cellular 60 s, satellite 300 s) or as
/// that uplink says. A site that names no uplink counts as dsl, a node as lan.
Duration beat_of_site(const google::protobuf::Message& site);

} // namespace skerry::cell
