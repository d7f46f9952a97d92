#include "os/ipv4.h"

#include <arpa/inet.h>
#include <charconv>

namespace skerry::os {

Result<Ipv4> parse_ipv4(std::string_view text) {
    in_addr parsed{};
    if (text.size() > 15 || ::inet_pton(AF_INET, std::string(text).c_str(), &parsed) != 1)
        return fail(Code::invalid, "\"" + std::string(text.substr(0, 64)) + "\" is not an IPv4 address (try 10.0.0.1)");
    return Ipv4{ntohl(parsed.s_addr)};
}

std::string text(Ipv4 address) {
    auto part = [&](int shift) { return std::to_string((address.number >> shift) & 0xff); };
    return part(24) + "." + part(16) + "." + part(8) + "." + part(0);
}

Result<Subnet> parse_subnet(std::string_view text) {
    auto slash = text.find('/');
    Subnet subnet;
    if (slash == std::string_view::npos)
        return fail(Code::invalid, "\"" + std::string(text.substr(0, 64)) + "\" is not a subnet (try 10.0.0.0/8)");
    subnet.first = TRY(parse_ipv4(text.substr(0, slash)));
    std::string_view bits = text.substr(slash + 1);
    auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), subnet.bits);
    if (error != std::errc{} || end != bits.data() + bits.size() || subnet.bits < 0 || subnet.bits > 32)
        return fail(Code::invalid, "\"" + std::string(text.substr(0, 64)) + "\": the prefix length must be from 0 to 32");
    subnet.first.number &= subnet.mask();
    return subnet;
}

std::string text(Subnet subnet) { return text(subnet.first) + "/" + std::to_string(subnet.bits); }

} // namespace skerry::os
