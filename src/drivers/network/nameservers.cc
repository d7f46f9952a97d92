#include "drivers/network/nameservers.h"

#include "os/files.h"
#include "os/ipv4.h"

#include <algorithm>
#include <sstream>

namespace skerry::drivers::network {

std::vector<std::string> reachable_nameservers(std::string_view resolv_conf) {
    std::vector<std::string> found;
    std::istringstream lines{std::string(resolv_conf)};
    for (std::string line; std::getline(lines, line) && found.size() < 3;) {
        std::istringstream words(line);
        std::string keyword, server;
        if (!(words >> keyword >> server) || keyword != "nameserver") continue;
        auto address = os::parse_ipv4(server);
        if (!address || address->number >> 24 == 127 || address->number == 0) continue;
        if (std::ranges::find(found, server) == found.end()) found.push_back(server);
    }
    return found;
}

std::vector<std::string> nameservers_of(const std::vector<std::string>& files) {
    for (const auto& file : files) {
        auto text = os::read_file(file);
        if (!text) continue;
        if (auto found = reachable_nameservers(*text); !found.empty()) return found;
    }
    return {};
}

} // namespace skerry::drivers::network
