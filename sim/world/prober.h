#pragma once

#include "node/prober.h"
#include "sim/world/computer.h"

#include <functional>

namespace skerry::sim {

class Fleet;

/// Health checks as the instances' state on the fake machine says: what runs and is not sick answers.
class SimProber final : public node::Prober {
public:
    SimProber(Fleet& fleet, Computer& computer) : fleet_(fleet), computer_(computer) {}

    void http(const std::string& address, std::uint16_t port, const std::string&, Duration timeout, Answer answer) override {
        tcp(address, port, timeout, std::move(answer));
    }
    void tcp(const std::string& address, std::uint16_t port, Duration timeout, Answer) override;

private:
    Fleet& fleet_;
    Computer& computer_;
};

} // namespace skerry::sim
