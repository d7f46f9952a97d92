#include "oci/layers/accounts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace skerry::oci {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value == 0xffff'ffff) return std::nullopt;
    return value;
}

/// Calls `each` with the colon-separated fields of every line that has at least `least` of them.
template<class Each>
void each_line(std::string_view text, std::size_t least, const Each& each) {
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        std::array<std::string_view, 8> fields;
        std::size_t count = 0;
        for (;;) {
            auto colon = line.find(':');
            fields[count++] = line.substr(0, colon);
            if (colon == line.npos || count == fields.size()) break;
            line.remove_prefix(colon + 1);
        }
        if (count >= least && !fields[0].empty() && fields[0][0] != '#') each(std::span(fields).first(count));
    }
}

bool lists(std::string_view members, std::string_view name) {
    while (!members.empty()) {
        auto member = members.substr(0, members.find(','));
        if (member == name) return true;
        members.remove_prefix(std::min(members.size(), member.size() + 1));
    }
    return false;
}

} // namespace

Result<Account> resolve_account(std::string_view user, std::string_view passwd, std::string_view group) {
    auto colon = user.find(':');
    std::string_view who = user.substr(0, colon);
    std::string_view which = colon == user.npos ? std::string_view() : user.substr(colon + 1);
    if (who.empty()) who = "0";
    auto uid = number(who);
    Account account;
    std::string login;
    bool found = false;
    // passwd(5): name:password:uid:gid:gecos:home:shell
    each_line(passwd, 6, [&](std::span<const std::string_view> fields) {
        auto line_uid = number(fields[2]), line_gid = number(fields[3]);
        if (found || !line_uid || !line_gid || (fields[0] != who && uid != line_uid)) return;
        found = true;
        login = fields[0];
        account.uid = *line_uid;
        account.gid = *line_gid;
        if (fields[5].starts_with('/')) account.home = fields[5];
    });
    if (!found) {
        if (!uid)
            return fail(Code::invalid,
                        "user \"" + std::string(who.substr(0, 100)) + "\" is not in the image's /etc/passwd; use its number");
        account.uid = *uid;
        if (*uid == 0) account.home = "/root";
    }
    if (!which.empty()) {
        auto gid = number(which);
        bool known = false;
        // group(5): name:password:gid:members
        each_line(group, 3, [&](std::span<const std::string_view> fields) {
            auto line_gid = number(fields[2]);
            if (known || !line_gid || (fields[0] != which && gid != line_gid)) return;
            known = true;
            gid = line_gid;
        });
        if (!gid)
            return fail(Code::invalid,
                        "group \"" + std::string(which.substr(0, 100)) + "\" is not in the image's /etc/group; use its number");
        account.gid = *gid;
        account.groups = {*gid};
        return account;
    }
    constexpr std::size_t max_groups = 1024;
    if (!login.empty())
        each_line(group, 4, [&](std::span<const std::string_view> fields) {
            auto gid = number(fields[2]);
            if (gid && account.groups.size() < max_groups && lists(fields[3], login)) account.groups.push_back(*gid);
        });
    // With the primary group, too: without it, setgroups(2) would let a process drop what a group is denied (CVE-2022-36109).
    account.groups.push_back(account.gid);
    std::ranges::sort(account.groups);
    account.groups.erase(std::ranges::unique(account.groups).begin(), account.groups.end());
    return account;
}

} // namespace skerry::oci
