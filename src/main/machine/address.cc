#include "main/machine/address.h"

#include "model/rules/validate.h"

#include <algorithm>

namespace skerry::main {

Result<void> check_address(const std::string& field, const std::string& address) {
    // As a whole, or as the host of one.
    if (model::format_problem("host", address).empty() || model::format_problem("host", address + ":1").empty()) return {};
    return fail(Code::invalid,
                field + ": " + model::quoted(address) + " is neither a host nor a host with a port (try core.example.com:7443)");
}

bool has_port(const std::string& address) {
    if (address.starts_with('[')) return address.find("]:") != std::string::npos; // IPv6
    return std::ranges::count(address, ':') == 1;
}

} // namespace skerry::main
