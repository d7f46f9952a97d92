#include "os/nft.h"

#include "os/fd.h"
#include "os/process.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace skerry::os {
namespace {

Result<Finished> run_nft(Command command) {
    auto finished = run(command);
    if (!finished && finished.error().code == Code::not_found)
        return fail(Code::unsupported, "nft: no such program on this machine (apt-get install nftables)");
    return finished;
}

std::string first_line(const std::string& text) {
    std::string line = text.substr(0, text.find('\n'));
    return line.substr(0, 500);
}

/// A request with the head that all of nfnetlink have.
struct GetGeneration {
    nlmsghdr head;
    nfgenmsg family;
};

} // namespace

Result<std::uint32_t> nft_generation() {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (fd.number() < 0) return fail_errno("netlink socket of nftables");
    GetGeneration ask{};
    ask.head.nlmsg_len = sizeof ask;
    ask.head.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
    ask.head.nlmsg_flags = NLM_F_REQUEST;
    ask.family.version = NFNETLINK_V0;
    if (::send(fd.number(), &ask, sizeof ask, 0) < 0) return fail_errno("ask for the generation of the rules");
    alignas(nlmsghdr) char answer[512];
    timeval patience{1, 0};
    (void)::setsockopt(fd.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t size = ::recv(fd.number(), answer, sizeof answer, 0);
    if (size < 0) return fail_errno("generation of the rules");
    auto unexpected = fail(Code::unsupported, "the kernel does not tell the generation of its rules");
    const auto* head = reinterpret_cast<const nlmsghdr*>(answer);
    std::size_t end = std::min<std::size_t>(static_cast<std::size_t>(size), head->nlmsg_len);
    if (end < sizeof(GetGeneration) || head->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) return unexpected;
    for (std::size_t at = sizeof(GetGeneration); at + sizeof(nlattr) <= end;) {
        nlattr attribute{};
        std::memcpy(&attribute, answer + at, sizeof attribute);
        if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > end) break;
        std::uint32_t value = 0;
        if (attribute.nla_type == NFTA_GEN_ID && attribute.nla_len == sizeof attribute + sizeof value) {
            std::memcpy(&value, answer + at + sizeof attribute, sizeof value);
            return ntohl(value);
        }
        at += NLA_ALIGN(attribute.nla_len);
    }
    return unexpected;
}

Result<void> apply_nft(const std::string& ruleset) {
    Finished finished = TRY(run_nft({.argv = {"nft", "-f", "-"}, .input = ruleset}));
    if (finished.good()) return {};
    Code code = finished.errors.find("Operation not permitted") != std::string::npos ? Code::forbidden
                : finished.errors.find("not supported") != std::string::npos         ? Code::unsupported
                : finished.errors.find("No such file") != std::string::npos          ? Code::not_found
                                                                                     : Code::internal;
    return fail(code, "nft: " + first_line(finished.errors));
}

Result<Json::Array> list_nft(std::vector<std::string> what) {
    Command command{.argv = {"nft", "-j", "-a", "list"}, .output_limit = 32 << 20};
    command.argv.insert(command.argv.end(), what.begin(), what.end());
    Finished finished = TRY(run_nft(command));
    if (!finished.good()) {
        bool absent = finished.errors.find("No such file") != std::string::npos;
        return fail(absent ? Code::not_found : Code::internal, "nft list: " + first_line(finished.errors));
    }
    if (finished.cut) return fail(Code::exhausted, "nft list: more than 32 MiB of rules");
    Json parsed = TRY(parse_json(finished.output, {.bytes = 32 << 20, .depth = 128, .values = 4'000'000}) | during("nft list"));
    Json* items = parsed.find("nftables");
    if (!items || !items->array_items()) return fail(Code::internal, "nft list: output without \"nftables\"");
    return std::move(*items->array_items());
}

} // namespace skerry::os
