#pragma once

#include "depot/depot.h"
#include "depot/plan.h"
#include "env/env.h"
#include "link/mux.h"
#include "main/tunnel.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry::main {

/// Brings blobs into the depot from the parent's, each range over a stream named "blob" (depot/range.h says what crosses it).
///
/// A transfer waits for a parent that is away, and for the uplink's budget and windows, and resumes at the byte where it stopped,
/// also after a restart. What is behind a gap does not survive a crash of ours, so little is asked for at once.
class BlobFetch {
public:
    BlobFetch(env::Env, depot::Depot&, Tunnel&);
    ~BlobFetch();

    /// Calls `done` when all of them are in the depot, or when the source cannot give one; never before it returns. Answers the
    /// name under which to ask for `progress`.
    std::string want(std::vector<depot::Want>, std::function<void(Result<void>)> done);
    depot::Fetch::Progress progress(const std::string& wish) const { return fetch_.progress(wish); }

    /// This blob is in the depot by another way.
    void here(const depot::Digest&);

    /// Something is wanted, and nothing is asked for: the uplink's budget is used up, or its window closed.
    bool is_held() const { return held_; }
    /// Called when that begins.
    void on_held(std::function<void()> call) { on_held_ = std::move(call); }
    /// There may be room, or no more.
    void look();

    /// Of the jobs that write to the depot.
    static constexpr auto lane = "depot";

private:
    struct Incoming;
    using IncomingPtr = std::shared_ptr<Incoming>;

    void pump();
    std::uint64_t room() const;
    void hold();
    void wait();
    bool start(const depot::RangeRequest&);
    void arrived(const IncomingPtr&, std::string bytes);
    std::string take_head(const IncomingPtr&, std::string bytes);
    void write(const IncomingPtr&, std::string bytes);
    void over(const IncomingPtr&);
    void drop(const IncomingPtr&, std::string why);
    void refuse(const IncomingPtr&, std::string why);
    void settle();
    void check_wishes();

    env::Env env_;
    depot::Depot& depot_;
    Tunnel& tunnel_;
    depot::Fetch fetch_;
    std::map<std::string, std::function<void(Result<void>)>> wishes_;
    std::set<IncomingPtr> incoming_;
    std::unique_ptr<env::Timer> stuck_;
    bool held_ = false;
    std::function<void()> on_held_;
    std::uint64_t next_wish_ = 1;
};

} // namespace skerry::main
