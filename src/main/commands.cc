#include "main/commands.h"

#include "base/log.h"
#include "base/number.h"
#include "drivers/container/unpack_main.h"
#include "main/daemon.h"
#include "main/machine/address.h"
#include "main/machine/reset.h"
#include "model/rules/validate.h"

#include <cstdio>
#include <optional>

namespace skerry::main {

namespace {

const std::vector<cli::Option> shared_options{
    {.names = "--state",
     .value = "DIR",
     .help = "what must survive: objects, keys, bytes of images (default /var/lib/skerry)",
     .choices = {}},
    {.names = "--run",
     .value = "DIR",
     .help = "what ends with the machine: sockets, namespaces (default /run/skerry, or one named after --state)",
     .choices = {}},
    {.names = "--prefix",
     .value = "NAME",
     .help = "of network devices, rules and cgroups (default skerry); one per cell on a machine, which its state remembers",
     .choices = {}},
};

const std::vector<cli::Option> listening_options{
    {.names = "--listen",
     .value = "HOST:PORT",
     .help = "address of the API and of children's links; may be repeated",
     .choices = {},
     .repeatable = true},
    {.names = "-v,--verbose", .value = "", .help = "log more", .choices = {}},
};

/// Of cells that others join.
const std::vector<cli::Option> joinable_options{
    {.names = "--advertise",
     .value = "HOST[:PORT]",
     .help = "where children reach this cell, also in its certificate; may be repeated (default: the machine's addresses)",
     .choices = {},
     .repeatable = true},
    {.names = "--certificate-life",
     .value = "DURATION",
     .help = "how long certificates of sites and nodes that join here are good; they renew them by themselves (default 2160h)",
     .choices = {}},
};

std::vector<cli::Option> with(std::vector<cli::Option> first, const std::vector<cli::Option>& more) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
}

std::vector<cli::Option> options_of_parent(std::vector<cli::Option> own) {
    return with(with(with(std::move(own), listening_options), joinable_options), shared_options);
}

std::vector<cli::Option> options_of_daemon(std::vector<cli::Option> own) {
    return with(with(std::move(own), listening_options), shared_options);
}

Claim::Options claim_of(const cli::Invocation& call) {
    auto given = [&](const char* option) { return call.has(option) ? std::optional(call.get(option)) : std::nullopt; };
    return {.state = given("state"), .run = given("run"), .prefix = given("prefix")};
}

int wrong(const std::string& why) {
    std::fprintf(stderr, "skerry: %s\n", why.c_str());
    return 2;
}

/// Labels "a=b".
bool read_labels(const cli::Invocation& call, std::map<std::string, std::string>& labels) {
    for (auto& text : call.all("label")) {
        std::size_t equals = text.find('=');
        if (equals == std::string::npos) return false;
        labels[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return true;
}

/// As given, or as it was.
bool read_count(const cli::Invocation& call, std::string_view option, std::uint32_t most, std::uint32_t& count) {
    if (!call.has(option)) return true;
    auto given = parse_number<std::uint32_t>(call.get(option));
    if (!given || *given > most) return false;
    count = *given;
    return true;
}

int run(DaemonOptions::Role role, const cli::Invocation& call) {
    DaemonOptions options;
    options.role = role;
    options.claim = claim_of(call);
    options.listen = call.all("listen");
    options.advertise = call.all("advertise");
    for (auto& address : options.advertise)
        if (auto good = check_address("--advertise", address); !good) return wrong(good.error().message);
    if (call.has("join")) options.join = call.get("join");
    options.with_node = !call.has("without-node");
    options.restored = call.has("restored");
    for (const char* option : {"name", "site"}) {
        if (!call.has(option)) continue;
        options.name = call.get(option);
        if (auto problem = model::format_problem("label", *options.name); !problem.empty())
            return wrong("--" + std::string(option) + ": \"" + *options.name + "\" " + problem);
    }
    if (!read_count(call, "freeze-share", 100, options.freeze_share))
        return wrong("--freeze-share: \"" + call.get("freeze-share") + "\" is no percentage (use 0 to 100)");
    if (!read_count(call, "replace-rate", 60'000, options.replace_rate))
        return wrong("--replace-rate: \"" + call.get("replace-rate") + "\" is no count (use 0 to 60000)");
    if (!read_labels(call, options.labels)) return wrong("--label: write it as name=value");
    if (call.has("certificate-life")) {
        auto life = parse_duration(call.get("certificate-life"));
        if (!life) return wrong("--certificate-life: " + life.error().message);
        if (*life < 5s || *life > 24h * 3652)
            return wrong("--certificate-life: " + call.get("certificate-life") + " is not between 5s and 87648h");
        options.certificate_life = *life;
    }
    if (call.has("verbose")) log_from(Level::debug);
    return run_daemon(options);
}

const cli::Option restored_option{
    .names = "--restored",
    .value = "",
    .help = "once, after its state was put back from a backup: what neighbours hold of it comes back before it decides anything",
    .choices = {}};

/// Of cells with sites below them.
const std::vector<cli::Option> doubt_options{
    {.names = "--freeze-share",
     .value = "PERCENT",
     .help = "of all its sites: when more vanish at once this cell doubts itself and replaces none (default 30)",
     .choices = {}},
    {.names = "--replace-rate",
     .value = "COUNT",
     .help = "sites a minute that may get their first substitutes (default 6)",
     .choices = {}}};

const cli::Option join_option{
    .names = "--join", .value = "TOKEN", .help = "needed once: what `skerry token create` printed at the parent", .choices = {}};

} // namespace

std::vector<cli::Command> daemon_commands() {
    using Role = DaemonOptions::Role;
    std::vector<cli::Command> commands;
    commands.push_back(
        {.name = "up",
         .summary = "Run a whole edge cloud on this machine: core, site and node in one process",
         .details = "Writes a kubeconfig for `skerry` and kubectl. Ctrl-C ends skerry; containers run on, and the next `skerry "
                    "up` adopts them. "
                    "`skerry reset` removes everything.",
         .examples = {"skerry up", "skerry up --site harbour --label tier=store"},
         .arguments = {},
         .options = options_of_parent(
             {{.names = "--site", .value = "NAME", .help = "of the site made here (default: the host's name)", .choices = {}},
              {.names = "--label",
               .value = "NAME=VALUE",
               .help = "of the site; may be repeated",
               .choices = {},
               .repeatable = true}}),
         .run = [](const cli::Invocation& call) { return run(Role::up, call); }});
    commands.push_back(
        {.name = "core",
         .summary = "Run the root of a fleet, which many sites join",
         .details =
             "The first start makes the fleet's certificate authority. Give sites in with `skerry token create --site NAME`.",
         .examples = {"skerry core --advertise core.example.com"},
         .arguments = {},
         .options = options_of_parent(
             with({{.names = "--name", .value = "NAME", .help = "of this core (default core)", .choices = {}}, restored_option},
                  doubt_options)),
         .run = [](const cli::Invocation& call) { return run(Role::core, call); }});
    commands.push_back(
        {.name = "region",
         .summary = "Run a region: a core for its sites, and one site to the core above",
         .details =
             "What the core gives to the region it divides among its own sites, also while the core is away. Give sites in at "
             "the region's API with `skerry token create --site NAME`. It runs no instances itself.",
         .examples = {"skerry region --join skerry1.… --advertise emea.example.com", "skerry region"},
         .arguments = {},
         .options = options_of_parent(with({join_option, restored_option}, doubt_options)),
         .run = [](const cli::Invocation& call) { return run(Role::region, call); }});
    commands.push_back(
        {.name = "site",
         .summary = "Run a site: it dials its parent, and works without it",
         .details = "The machine it runs on is the site's first node; more machines join with `skerry node`.",
         .examples = {"skerry site --join skerry1.…", "skerry site"},
         .arguments = {},
         .options = options_of_parent(
             {join_option,
              restored_option,
              {.names = "--without-node", .value = "", .help = "run nothing on this machine itself", .choices = {}}}),
         .run = [](const cli::Invocation& call) { return run(Role::site, call); }});
    commands.push_back({.name = "node",
                        .summary = "Run a further machine of a site",
                        .details = "",
                        .examples = {"skerry node --join skerry1.…"},
                        .arguments = {},
                        .options = options_of_daemon({join_option}),
                        .run = [](const cli::Invocation& call) { return run(Role::node, call); }});
    commands.push_back(
        {.name = "reset",
         .summary = "Stop and remove everything of Skerry's on this machine",
         .details = "Containers, networks, rules, images, keys and objects. There is no way back; it asks first.",
         .examples = {"skerry reset", "skerry reset --yes"},
         .arguments = {},
         .options = with({{.names = "-y,--yes", .value = "", .help = "do not ask", .choices = {}}}, shared_options),
         .run = [](const cli::Invocation& call) { return reset(claim_of(call), call.has("yes")); }});
    return commands;
}

} // namespace skerry::main
