#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace skerry::model {

class Port;
class SiteStatus;

enum class Transport : std::uint8_t { tcp, udp };

/// A port of a node on which a component answers. TCP and UDP count apart: a name server publishes 53 twice.
struct NodePort {
    std::uint16_t number = 0;
    Transport transport = Transport::tcp;

    /// Of a port that has `publish`.
    static NodePort of(const Port&);
    /// "80", "53/udp".
    std::string text() const { return std::to_string(number) + (transport == Transport::udp ? "/udp" : ""); }

    friend auto operator<=>(const NodePort&, const NodePort&) = default;
};

/// Those that a site says are in use on its nodes, as often as they are.
std::vector<NodePort> used_ports(const SiteStatus&);

} // namespace skerry::model
