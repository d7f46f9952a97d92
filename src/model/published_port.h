#pragma once
#include "model/app.pb.h"
#include "model/site.pb.h"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace skerry::model {

/// A port of a machine on which a component answers. TCP and UDP count apart: a name server publishes 53 twice.
struct PublishedPort {
    std::uint16_t number = 0;
    bool udp = false;

    /// Of a port that has `publish`.
    static PublishedPort of(const Port& port) { return {static_cast<std::uint16_t>(port.publish()), port.protocol() == "udp"}; }
    /// "80", "53/udp".
    std::string text() const { return std::to_string(number) + (udp ? "/udp" : ""); }

    friend auto operator<=>(const PublishedPort&, const PublishedPort&) = default;
};

/// Those that a site says are in use on its nodes, as often as they are.
inline std::vector<PublishedPort> used_ports(const SiteStatus& status) {
    std::vector<PublishedPort> ports;
    for (std::uint32_t port : status.used_ports()) ports.push_back({static_cast<std::uint16_t>(port)});
    for (std::uint32_t port : status.used_udp_ports()) ports.push_back({static_cast<std::uint16_t>(port), true});
    return ports;
}

} // namespace skerry::model
