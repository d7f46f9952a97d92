#pragma once

#include "env/env.h"
#include "node/node.h"
#include "node/run.h"
#include "node/wanted.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skerry::node {

/// The loop "node": adopt, then for each instance the next step, health, and status.
class NodeLoop final : public cell::Loop {
public:
    NodeLoop(cell::Cell&, Options);
    ~NodeLoop() override;

    std::string_view name() const override { return "node"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    /// After a step that failed and has no back-off of its own.
    static constexpr Duration step_again = 2s;

    /// One runtime of this machine.
    struct Runtime {
        drivers::Driver* driver = nullptr;
        bool probed = false;
        bool adopted = false;
        Error trouble; ///< why it does not work, or is not adopted yet
        Instant retry{};
    };
    using WantedByUid = std::map<Uid, Wanted>;

    // adopt.cc
    void load_notes();
    bool ensure_adopted(const WantedByUid&);
    void adopt_runtimes();
    void adopt_network(const WantedByUid&);
    void take_back(const std::string& runtime, const std::vector<drivers::Found>&);

    // fence.cc
    bool ensure_recalled();
    void fence(WantedByUid&);
    void accept_epoch(Wanted&, store::Transaction& accepted);
    void fence(Wanted&, const cell::Leases::Own&);
    void keep_leash(const WantedByUid&, const cell::Leases::Own&);
    void leash_to(std::optional<drivers::Leash::Hold>);
    bool ended_by_leash(const Run&, const drivers::Look&) const;

    // steps.cc
    void step(Run&, const Wanted* wanted);
    void fetch(Run&, const Wanted&);
    void start(Run&, const Wanted&);
    void reconnect(Run&, const Wanted&);
    void start_noted(Uid, drivers::InstanceSpec, drivers::network::Wish);
    void start_connected(Run&, drivers::InstanceSpec);
    void started(Uid, Result<drivers::Handle>, drivers::Look);
    std::optional<model::NodePort> port_taken(const Run&, const Wanted&) const;
    drivers::Driver* driver(const std::string& runtime) const;

    // ending.cc
    void stop(Run&, const Wanted* wanted, plan::InstanceStep why);
    void stop_noted(Uid, Duration grace, bool counts);
    void go_on_ending(Run&);
    void end(Run&);
    void forget_asking(Run&);
    void clean(Run&);
    void cleaned(Run&);
    void forget(Run&);
    bool is_damaged(const Run&) const;
    void revive();
    void revive(const store::Key&, const Run&);
    void ended(Run&, const drivers::Look&);

    // mend.cc
    void mend_later();
    void mend_now();
    void mended(const Result<std::vector<std::string>>& made);

    // watch.cc
    void look(Run&);
    void check_health(Run&, const Wanted&);
    static bool is_unhealthy(const Run&, const Wanted&);
    void health_answer(Uid, Instant started, const Result<void>&);

    // status.cc
    void report_instance(const Run&, const Wanted&);
    void report_node();

    /// Whether as many do this already as may at once: what takes long leaves threads to what does not.
    bool is_crowded(std::string_view doing, std::size_t most) const;
    /// Runs `job` on the instance's lane, then `then(run)` if the instance is still known; `busy` in between.
    void on_lane(Run&, std::string doing, std::function<void()> job, std::function<void(Run&)> then);
    /// The same on the one lane of the network.
    void on_network(Run&, std::string doing, std::function<void()> job, std::function<void(Run&)> then);
    void on_lane_of(std::string lane, Run&, std::string doing, std::function<void()> job, std::function<void(Run&)> then);
    void event(const Run&, cell::Tone, std::string_view reason, std::string_view message);
    void wake_at(Instant);
    void wake() { cell_.wake(name()); }
    Instant now() const { return cell_.env().clock.now(); }

    cell::Cell& cell_;
    Options options_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    std::map<std::string, Runtime> runtimes_;
    bool notes_loaded_ = false;
    bool adopting_ = false;
    bool network_adopted_ = false;
    Error network_trouble_;
    Instant network_retry_{};
    std::unique_ptr<env::Timer> mending_;
    bool mends_ = false;
    std::string mend_trouble_;
    std::map<Uid, Run> runs_;
    /// What the leash is known to hold.
    struct Leashed {
        bool recalled = false; ///< asked what an earlier process left on it
        bool busy = false;
        std::optional<drivers::Leash::Hold> hold;
        std::string trouble; ///< why it does not hold what it should; empty: it does
        Instant retry{};
    };
    Leashed leash_;
    std::set<std::string> kept_images_;
    bool images_told_ = false;
    Instant next_wake_ = Instant::never();
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::node
