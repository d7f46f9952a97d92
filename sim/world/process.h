#pragma once

#include "cell/cell.h"
#include "env/corrected_clock.h"
#include "sim/world/computer.h"
#include "sim/world/images.h"
#include "sim/world/prober.h"
#include "store/store.h"

#include <deque>
#include <map>
#include <memory>
#include <string>

namespace skerry::sim {

class Fleet;

/// One running `skerry`, put together as `main` does it, over a computer of the simulation. Destroying it is kill -9: nothing it
/// had under way happens, what runs on the computer runs on.
class Process final : public env::Timers, public env::Workers, public env::Dialer {
public:
    Process(Fleet&, Computer&);
    ~Process() override;

    /// As joining machines ask their parent: makes the objects of the children that have none yet.
    void join_children();
    /// False when the store did not open, since its disk died on the way: the process ends at once.
    bool works() const { return cell_ != nullptr; }
    const env::CorrectedClock& clock() const { return clock_; }
    cell::Cell& cell() { return *cell_; }
    store::Store& store() { return *store_; }
    env::Peer peer() const;

    std::unique_ptr<env::Timer> after(Duration, std::function<void()>) override;
    void post(std::function<void()>) override;
    void run(std::string lane, std::function<void()> job, std::function<void()> then) override;
    std::unique_ptr<env::Timer> dial(const std::string& address, env::Channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)>) override;

    /// Jobs given to workers that have not answered.
    std::size_t jobs() const { return jobs_; }

private:
    struct Job {
        std::function<void()> job, then;
    };
    void begin(std::string lane, Job);
    void ask_for_the_time();

    Fleet& fleet_;
    Computer& computer_;
    env::CorrectedClock clock_;
    env::Env env_;
    std::map<std::string, std::deque<Job>> lanes_; ///< an entry: a job of that lane is under way
    std::size_t jobs_ = 0;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<WitnessedRuntime> runtime_;
    std::unique_ptr<RuntimeWitness> witness_;
    std::unique_ptr<drivers::network::NetworkDriver> network_;
    std::unique_ptr<drivers::fake::FakeLeash> leash_;
    std::unique_ptr<SimImages> images_;
    std::unique_ptr<SimProber> prober_;
    std::unique_ptr<cell::Cell> cell_;
    std::unique_ptr<store::Watch> watch_;
};

} // namespace skerry::sim
