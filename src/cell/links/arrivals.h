#pragma once

#include "env/env.h"
#include "sync/frame.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace skerry::cell {

/// Wires of children that have not said yet which opening of their store they belong to (rule S2). Until then none of them takes the
/// place of a wire that serves. Of one child at most a few wait, each for a limited time; older ones make room.
class Arrivals {
public:
    /// A wire and the first message that came on it, a hello.
    using Met = std::function<void(std::unique_ptr<env::Wire>, const sync::Hello&, std::string message)>;
    Arrivals(env::Timers&, Met);
    ~Arrivals();

    void add(std::unique_ptr<env::Wire>);
    /// Tells the other side why, and when to call again if that is given, and closes.
    void refuse(std::unique_ptr<env::Wire>, std::string why, Duration come_back = {});

    static constexpr std::size_t most = 4; ///< per child

private:
    class Waiting;
    std::unique_ptr<env::Wire> leave(Waiting&);
    void drop(std::unique_ptr<env::Wire>);
    void first(Waiting&, std::string message);

    env::Timers& timers_;
    Met met_;
    std::map<std::string, std::vector<std::unique_ptr<Waiting>>> waiting_; ///< by tag of the child, in order of arrival
};

} // namespace skerry::cell
