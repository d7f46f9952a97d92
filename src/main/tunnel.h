#pragma once

#include "base/result.h"
#include "cell/links/meters.h"
#include "env/env.h"
#include "link/mux.h"
#include "link/trunk.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace skerry::main {

/// The second connection of each session (rule L6): streams for logs and bytes of images, over wires that children dial. Nothing
/// crosses an idle one.
class Tunnel {
public:
    enum class From : std::uint8_t { parent, child };
    using Serve = std::function<void(const env::Peer& from, std::shared_ptr<link::Stream>)>;

    Tunnel(env::Timers&, env::Chance&);
    ~Tunnel();

    /// Streams that the parent, or that children, open under this name; all others are refused. Before any wire.
    void serve(From, std::string name, Serve);
    /// A child's bulk wire; an older one of the same child is closed.
    void accept(std::unique_ptr<env::Wire>);
    /// Ends the bulk wire of this child.
    void dismiss(env::Peer::Role, const std::string& name);

    /// Counts what crosses, and says how much of bulk may. Null again before they go.
    void measure(cell::Meters* meters) { meters_ = meters; }
    /// What bulk may take now on the way to the parent, or to a child; none: no bound.
    std::optional<std::uint64_t> parent_room();
    std::optional<std::uint64_t> child_room(const env::Peer&);

    /// From now on keeps a wire to the parent. The dialer outlives this.
    void reach(env::Dialer&, std::vector<std::string> addresses);
    /// A new session with the parent began, so an old bulk wire may be dead without knowing: dials anew.
    void parent_returned();
    /// Called when the wire to the parent came up or went down.
    void on_parent(std::function<void(bool up)> f) { on_parent_ = std::move(f); }
    bool parent_is_up() const { return parent_ != nullptr; }
    bool has_parent() const { return dialer_ != nullptr; }

    /// `unavailable`, saying who is away, where there is no wire.
    Result<std::shared_ptr<link::Stream>> open_parent(link::Target);
    Result<std::shared_ptr<link::Stream>> open_child(env::Peer::Role, const std::string& name, link::Target);

private:
    void opened(From, const env::Peer&, std::shared_ptr<link::Stream>);
    void dial();
    void retry();
    std::unique_ptr<link::Trunk> trunk(std::unique_ptr<env::Wire>, link::Side, From, const std::string& tag,
                                       std::function<void(std::string)> closed);

    env::Timers& timers_;
    env::Chance& chance_;
    cell::Meters* meters_ = nullptr;
    std::map<std::pair<From, std::string>, Serve> serves_;
    /// By role and name: a node of some site may have the name of another site.
    using Child = std::pair<env::Peer::Role, std::string>;
    std::map<Child, std::unique_ptr<link::Trunk>> children_;
    env::Dialer* dialer_ = nullptr;
    std::vector<std::string> addresses_;
    std::size_t next_address_ = 0;
    Duration back_off_ = 500ms;
    std::unique_ptr<link::Trunk> parent_;
    std::unique_ptr<env::Timer> dialing_;
    std::unique_ptr<env::Timer> waiting_;
    std::function<void(bool)> on_parent_;
};

} // namespace skerry::main
