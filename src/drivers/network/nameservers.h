#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::drivers::network {

/// The IPv4 name servers of a resolv.conf(5) text that an instance could reach: none on loopback, at most three (the resolver's
/// own limit).
std::vector<std::string> reachable_nameservers(std::string_view resolv_conf);

/// Those of the first of the files that has any. The usual list names systemd-resolved's upstream servers second, for machines
/// whose /etc/resolv.conf points to its stub on 127.0.0.53.
std::vector<std::string> nameservers_of(const std::vector<std::string>& files);

} // namespace skerry::drivers::network
