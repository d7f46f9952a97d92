#include "base/time.h"
#include "model/app.pb.h"
#include "model/rules/kind_rules.h"
#include "model/rules/rule.h"
#include "model/rules/validate.h"
#include "model/substitute.h"
#include "model/text/format.h"

#include <map>
#include <utility>

namespace skerry::model {

namespace {

void check_env(const EnvVar& env, const std::string& path, Problems& problems) {
    if (env.has_value() && env.has_from())
        problems.add(path, quoted(env.name()) + " has a value and a source (keep one of value and from)");
    else if (!env.has_value() && !env.has_from())
        problems.add(path, quoted(env.name()) + " has neither value nor from (write value: \"\" for an empty one)");
    if (env.has_from()) {
        const EnvSource& from = env.from();
        std::string at = join(path, "from");
        if (from.has_secret() == from.has_config())
            problems.add(at, from.has_secret() ? "names a secret and a config (keep one)"
                                               : "names neither a secret nor a config (write one of them)");
        if (!from.key().empty() && !is_data_key(from.key()))
            problems.add(join(at, "key"), quoted(from.key()) + " " + format_problem("data-key", from.key()));
    }
    Result<std::vector<std::string>> names = references(env.value());
    if (!names) return problems.add(join(path, "value"), names.error().message);
    for (const std::string& name : *names)
        if (!is_known_reference(name))
            problems.add(join(path, "value"),
                         quoted("$(" + name + ")") +
                             " refers to nothing known (use $(site.name), $(site.values.NAME), $(node.name), " +
                             "$(instance.name) or $(app.name); write $$( for the characters themselves)");
}

/// Whoever waits that long keeps a thread of the node busy, or never learns that something is wrong.
void check_longest(const std::string& value, Duration longest, const std::string& path, Problems& problems) {
    auto duration = parse_duration(value);
    if (!value.empty() && duration && *duration > longest)
        problems.add(path, quoted(value) + " is longer than " + skerry::text(longest) + " (write that or less)");
}

void check_health(const Component& component, const std::string& path, Problems& problems) {
    const Health& health = component.health();
    int checks = health.has_http() + health.has_tcp() + health.has_exec();
    if (checks != 1) problems.add(path, std::to_string(checks) + " checks are given (write exactly one of http, tcp and exec)");
    auto named = [&](const std::string& port, const std::string& at) {
        if (port.empty()) return;
        std::vector<std::string_view> names;
        for (const Port& each : component.ports()) {
            if (each.name() == port && each.protocol() == "udp")
                return problems.add(at, quoted(port) + " is a udp port (name one of tcp)");
            if (each.name() == port) return;
            names.push_back(each.name());
        }
        problems.add(at, quoted(port) + " is no port of this component (" +
                             (names.empty() ? "it has none: add it under ports" : "use " + choices(names)) + ")");
    };
    if (health.has_http()) {
        named(health.http().port(), path + ".http.port");
        if (health.http().has_path() && !health.http().path().starts_with('/'))
            problems.add(path + ".http.path", quoted(health.http().path()) + " does not begin with / (try /healthz)");
        else if (health.http().has_path() && !is_http_path(health.http().path()))
            problems.add(path + ".http.path",
                         quoted(health.http().path()) +
                             " has a space, a #, a control character or a letter beyond ASCII (write %20 and the like)");
    }
    if (health.has_tcp()) named(health.tcp().port(), path + ".tcp.port");
    check_longest(health.timeout(), 60s, path + ".timeout", problems);
    check_longest(health.period(), 24h, path + ".period", problems);
    check_longest(health.grace(), 24h, path + ".grace", problems);
}

void check_partition(const Component& component, const std::string& path, Problems& problems) {
    // What runs once at each site belongs to that site: nothing elsewhere does its work.
    if (component.partition().policy() == "atLeastOnce" && component.placement().mode() == "each")
        problems.add(path + ".policy", quoted("atLeastOnce") +
                                           " needs placement.mode spread, since what runs at each site has no "
                                           "substitute elsewhere (use keep, or placement.mode: spread)");
}

void check_selector(const Selector& selector, const std::string& path, Problems& problems) {
    for (int i = 0; i < selector.match_expressions_size(); ++i) {
        const Requirement& term = selector.match_expressions(i);
        std::string at = join(path + ".matchExpressions", static_cast<std::size_t>(i)) + ".values";
        bool compares = term.operator_() == "In" || term.operator_() == "NotIn";
        bool exists = term.operator_() == "Exists" || term.operator_() == "DoesNotExist";
        if (compares && term.values().empty()) problems.add(at, "is required with " + term.operator_() + " (at least one)");
        if (exists && !term.values().empty()) problems.add(at, "says nothing with " + term.operator_() + " (remove it)");
    }
}

} // namespace

void check(const App& app, Problems& problems) {
    const std::string& name = app.metadata().name();
    // Names of apps, components and sites are joined by dots into those of allocations and instances.
    if (is_name(name) && !is_label(name)) problems.add("metadata.name", quoted(name) + " " + format_problem("label", name));

    std::map<std::pair<std::string, std::uint32_t>, std::string> published;
    for (int i = 0; i < app.spec().components_size(); ++i) {
        const Component& component = app.spec().components(i);
        std::string path = join("spec.components", static_cast<std::size_t>(i));
        std::map<std::pair<std::string, std::uint32_t>, std::string> listening;
        for (int n = 0; n < component.ports_size(); ++n) {
            const Port& port = component.ports(n);
            std::string at = join(path + ".ports", static_cast<std::size_t>(n));
            std::string protocol = port.protocol() == "udp" ? "udp" : "tcp";
            if (auto [other, fresh] = listening.emplace(std::pair(protocol, port.port()), at); !fresh && port.port() != 0)
                problems.add(at + ".port",
                             std::to_string(port.port()) + "/" + protocol + " is at " + other->second + " already (remove one)");
            if (!port.has_publish()) continue;
            if (auto [other, fresh] = published.emplace(std::pair(protocol, port.publish()), at); !fresh)
                problems.add(at + ".publish", std::to_string(port.publish()) + "/" + protocol + " is published by " +
                                                  other->second + " already (choose another)");
        }
        for (int n = 0; n < component.env_size(); ++n)
            check_env(component.env(n), join(path + ".env", static_cast<std::size_t>(n)), problems);
        if (component.placement().has_sites()) check_selector(component.placement().sites(), path + ".placement.sites", problems);
        if (component.has_health()) check_health(component, path + ".health", problems);
        check_longest(component.stop_grace(), 1h, path + ".stopGrace", problems);
        if (component.has_partition()) check_partition(component, path + ".partition", problems);
    }
}

} // namespace skerry::model
