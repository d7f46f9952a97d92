#pragma once

#include "cell/epochs.h"
#include "cell/events.h"
#include "env/env.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace skerry::cell {

/// What a cell does when it learns that its history went back: a backup was put back, or a disk that had lost writes (rules H3, H4).
///
///     a peer shows a place in our history that we do not have ──► active ──► planning ──► over
///                                                                   │           │
///       loops write nothing; what peers hold of ours comes back     ┘           │
///       loops plan with all of it, under a higher term; still no lease is given ┘
///
/// It is active until the longest lease that was ever in use, and a margin, have passed since the start of this process or since
/// the peer called, whichever was later: what the forgotten past granted has ended then. Peers that come back later than that
/// find a cell that goes on: what they hold and it lacks is still taken in, but what may run only once has a new owner by then,
/// and theirs goes.
///
///     notes space "recovery":  "since" → the number above which all was decided after the history went back
///                              "active" → there while it is active, so that a restart goes on with it
///                              "late/<tag>" → peers that were away all the while: what they show is no new loss
class Recovery {
public:
    /// What it asks of its cell.
    struct Hooks {
        std::function<Duration()> longest_lease;           ///< ever granted to a child, or asked for by one
        std::function<bool()> busy;                        ///< something is on its way back at this moment
        std::function<bool(const std::string& tag)> heard; ///< the peer has called since this process started
        std::function<void(std::string why)> grant_nothing;
        std::function<void()> over; ///< loops may write again
    };
    Recovery(env::Env, store::Store&, Epochs&, Events&, std::string own_site, Hooks);

    void start();
    bool active() const { return active_; }
    /// Everything above this number was decided here after the history went back; 0: it never did.
    store::Number since() const { return since_; }

    /// The peer has seen more of our history than we have.
    void behind(const std::string& tag);
    /// It and we agree again.
    void settled(const std::string& tag);
    /// So many objects came back from there.
    void returned(const std::string& tag, std::size_t objects);

    /// Nothing is granted after a recovery before this loop has planned once with all that came back.
    void add_planner(std::string_view loop) { planners_.emplace(loop); }
    void planned(std::string_view loop);

private:
    void arm();
    void finish();
    void release();
    void tell(const std::string& tag, Tone, std::string_view reason, const std::string& message);

    env::Env env_;
    store::Store& store_;
    Epochs& epochs_;
    Events& events_;
    std::string own_site_;
    Hooks hooks_;
    store::Number opened_, since_ = 0;
    bool active_ = false, planning_ = false;
    Instant began_{};
    std::set<std::string, std::less<>> planners_, waiting_;
    std::set<std::string, std::less<>> late_; ///< tags
    std::unique_ptr<env::Timer> timer_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

/// For who sees only the store.
bool is_recovering(const store::Store&);

} // namespace skerry::cell
