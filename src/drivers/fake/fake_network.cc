#include "drivers/fake/fake.h"

#include <algorithm>

namespace skerry::drivers::fake {

Result<std::vector<InstanceName>> FakeNetwork::adopt(std::span<const InstanceName> wanted) {
    std::lock_guard lock(machine_.mutex_);
    std::vector<InstanceName> kept;
    for (auto at = machine_.connections_.begin(); at != machine_.connections_.end();) {
        if (std::find(wanted.begin(), wanted.end(), at->first) != wanted.end()) {
            kept.push_back((at++)->first);
        } else {
            machine_.addresses_.erase(at->first);
            at = machine_.connections_.erase(at);
        }
    }
    return kept;
}

Result<Attachment> FakeNetwork::connect(const network::Wish& wish) {
    std::lock_guard lock(machine_.mutex_);
    auto luck = machine_.draw();
    auto bad_luck = fail(Code::unavailable, "connect: the machine had bad luck");
    if (luck == FakeMachine::Luck::fail) return bad_luck;
    for (const auto& port : wish.ports) {
        std::string taken = "port " + std::to_string(port.host_port) + " is taken by ";
        if (machine_.occupied_.contains(port.host_port)) return fail(Code::exists, taken + "another program");
        for (const auto& [other, connection] : machine_.connections_) {
            bool same = std::any_of(connection.ports.begin(), connection.ports.end(), [&](const network::PublishedPort& held) {
                return held.host_port == port.host_port && held.protocol == port.protocol;
            });
            if (same && other != wish.instance) return fail(Code::exists, taken + "instance " + other);
        }
    }
    if (!machine_.addresses_.contains(wish.instance)) {
        std::uint8_t address = 2;
        while (std::any_of(machine_.addresses_.begin(), machine_.addresses_.end(),
                           [&](const auto& one) { return one.second == address; }))
            if (++address == 255) return fail(Code::exhausted, "connect: no address is left in 10.88.0.0/24");
        machine_.addresses_[wish.instance] = address;
    }
    machine_.connections_[wish.instance] = wish;
    if (luck == FakeMachine::Luck::half) return bad_luck;
    return Attachment{.netns = "/fake/" + wish.instance,
                      .tap = {},
                      .address = "10.88.0." + std::to_string(machine_.addresses_[wish.instance]) + "/24",
                      .gateway = "10.88.0.1",
                      .nameservers = {}};
}

Result<void> FakeNetwork::disconnect(const InstanceName& instance) {
    std::lock_guard lock(machine_.mutex_);
    machine_.connections_.erase(instance);
    machine_.addresses_.erase(instance);
    return {};
}

Result<void> FakeNetwork::reset() {
    std::lock_guard lock(machine_.mutex_);
    machine_.connections_.clear();
    machine_.addresses_.clear();
    return {};
}

} // namespace skerry::drivers::fake
