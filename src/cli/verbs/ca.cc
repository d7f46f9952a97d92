#include "cli/client/client.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

constexpr const char* path = "/authority/v1";

bool is_true(const Json& json, std::string_view field) {
    const Json* found = json.find(field);
    return found && found->boolean() && *found->boolean();
}

/// How many of the members do not follow the key yet.
std::size_t show(const Json& authority) {
    std::printf("Authority key %s, changed %s times\n", printable(authority.text("key")).c_str(),
                printable(authority.text("changes")).c_str());
    TextTable members;
    members.heading({"MEMBER", "KEY PINNED", "CERTIFICATE", "ENDS"});
    std::size_t behind = 0;
    if (const Json* list = authority.find("members"); list && list->array_items())
        for (const Json& member : *list->array_items()) {
            bool revoked = is_true(member, "revoked"), follows = is_true(member, "follows"), issued = is_true(member, "issued");
            behind += !revoked && !(follows && issued);
            members.row({printable(member.text("name")), follows ? "newest" : "older",
                         revoked  ? "revoked"
                         : issued ? "by newest"
                                  : "by older",
                         printable(member.text("ends"))});
        }
    if (!members.empty()) std::printf("\n%s", members.take(true).c_str());
    TextTable revoked;
    revoked.heading({"REVOKED KEY", "OF", "SINCE", "REASON"});
    if (const Json* list = authority.find("revoked"); list && list->array_items())
        for (const Json& each : *list->array_items())
            revoked.row({printable(each.text("key")).substr(0, 16), printable(each.text("holder")), printable(each.text("when")),
                         printable(each.text("reason"))});
    if (!revoked.empty()) std::printf("\n%s", revoked.take(true).c_str());
    return behind;
}

Result<int> print_status(Session& session, const Invocation& call) {
    http::Request request;
    request.path = path;
    Json authority = TRY(session.ask(std::move(request)));
    if (call.get("output") == "json")
        std::puts(write_json(authority, Layout::indented).c_str());
    else
        show(authority);
    return 0;
}

Result<int> rotate(Session& session, const Invocation& call) {
    bool dry = call.has("dry-run"), compromised = call.has("compromised");
    http::Request request;
    request.method = "POST";
    request.path = path;
    request.headers.set("Content-Type", "application/json");
    request.body =
        write_json(Json::object({{"dryRun", dry ? "true" : "false"}, {"compromised", compromised ? "true" : "false"}}));
    Json authority = TRY(session.ask(std::move(request)));
    std::size_t behind = show(authority);
    if (dry)
        std::printf(compromised
                        ? "\nPlan: a new key, which the old one does not vouch for. Every member above is out until it joins "
                          "again with a new token; every kubeconfig is void but the one this core writes anew.\n"
                        : "\nPlan: a new key, which the old one vouches for. Members in touch come back within seconds and "
                          "follow it by themselves, those away when they return; kubeconfigs go on working.\n");
    else
        std::printf(compromised
                        ? "\nNobody who joined before is believed any more: make new tokens (skerry token create), and run "
                          "skerry site --join TOKEN at each site, which keeps its work.\n"
                        : "\n%zu members have yet to follow; see skerry ca status\n",
                    behind);
    return 0;
}

} // namespace

Command ca_status_command() {
    return {.name = "ca status",
            .summary = "Show the authority's key, who follows it, and which keys were revoked",
            .details = "Of the server that is asked: a core's authority speaks for sites, a site's for its nodes.",
            .examples = {"skerry ca status"},
            .arguments = {},
            .options = with_connection(
                {{.names = "-o,--output", .value = "FORMAT", .help = "text or json", .choices = {"text", "json"}}}),
            .run =
                [](const Invocation& call) {
                    return with_session(call, [&](Session& session) { return print_status(session, call); });
                },
            .group = access_group};
}

Command ca_rotate_command() {
    return {
        .name = "ca rotate",
        .summary = "Give the fleet's authority a new key",
        .details = "The old key vouches for the new one: sites and nodes follow by themselves, also those that were away for one "
                   "or more changes, and kubeconfigs written before go on working for two changes. Where the old key is in wrong "
                   "hands, its word counts for nothing: --compromised makes a key without it, and every site joins again with a "
                   "token.",
        .examples = {"skerry ca rotate --dry-run", "skerry ca rotate", "skerry ca rotate --compromised"},
        .arguments = {},
        .options = with_connection({
            {.names = "--dry-run", .value = "", .help = "say what would happen and who has yet to follow"},
            {.names = "--compromised", .value = "", .help = "the old key is in wrong hands: believe nothing it signed"},
        }),
        .run = [](const Invocation& call) { return with_session(call, [&](Session& session) { return rotate(session, call); }); },
        .group = access_group};
}

} // namespace skerry::cli
