#include "model/node_port.h"

#include "model/app.pb.h"
#include "model/site.pb.h"

namespace skerry::model {

NodePort NodePort::of(const Port& port) {
    return {static_cast<std::uint16_t>(port.publish()), port.protocol() == "udp" ? Transport::udp : Transport::tcp};
}

std::vector<NodePort> used_ports(const SiteStatus& status) {
    std::vector<NodePort> ports;
    for (std::uint32_t port : status.used_ports()) ports.push_back({static_cast<std::uint16_t>(port), Transport::tcp});
    for (std::uint32_t port : status.used_udp_ports()) ports.push_back({static_cast<std::uint16_t>(port), Transport::udp});
    return ports;
}

} // namespace skerry::model
