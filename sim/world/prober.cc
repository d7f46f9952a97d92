#include "sim/world/prober.h"

#include "sim/fleet.h"

namespace skerry::sim {

void SimProber::tcp(const std::string& address, std::uint16_t, Duration timeout, Answer answer) {
    auto& agenda = fleet_.agenda();
    Duration takes = 1ms + computer_.chance.up_to(std::min<Duration>(timeout, 20ms));
    agenda.at(agenda.now() + takes, What::job, computer_.cell, Agenda::Bound::life, [this, address, answer = std::move(answer)] {
        for (const auto& [name, process] : computer_.machine.processes()) {
            if (process.phase != drivers::Phase::running || !process.spec.network) continue;
            if (!process.spec.network->address.starts_with(address + "/")) continue;
            if (!computer_.sick.contains(name)) return answer({});
            fleet_.ledger().failed_health(computer_.cell, name);
            return answer(fail(Code::unavailable, "status 503"));
        }
        answer(fail(Code::unavailable, "connection refused"));
    });
}

} // namespace skerry::sim
