#include "node/wanted.h"

#include "base/units.h"
#include "model/app.pb.h"
#include "model/instance.pb.h"
#include "model/places/overriding.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"
#include "model/substitute.h"
#include "node/node.h"
#include "node/note.h"

#include <utility>

namespace skerry::node {

using model::Kind;
using store::Key;

Duration Wanted::stop_grace() const {
    if (!closed || closed->component().stop_grace().empty()) return 10s;
    auto grace = parse_duration(closed->component().stop_grace());
    return grace ? *grace : Duration(10s);
}

std::string Wanted::runtime() const {
    return closed && !closed->component().runtime().empty() ? closed->component().runtime() : "container";
}

const std::string& Wanted::digest() const {
    static const std::string none;
    return closed ? closed->image_digest() : none;
}

std::string beyond(const Wanted& wanted, const drivers::Abilities& abilities) {
    if (!wanted.closed) return {};
    if (wanted.closed->component().health().has_exec() && !abilities.exec)
        return "health.exec: runtime " + wanted.runtime() + " runs no commands inside; check by http or tcp";
    return {};
}

Wanted look_up(const store::Store& store, store::ObjectPtr object) {
    Wanted wanted;
    wanted.object = std::move(object);
    wanted.instance = &store::as<model::Instance>(*wanted.object);
    const auto& spec = wanted.instance->spec();
    wanted.plan.running = spec.state() != "stopped";
    const std::string& project = wanted.object->key.project;
    wanted.revision = store.get(Key{Kind::revision, project, spec.revision()});
    auto missing = [&](std::string reason, std::string message) {
        wanted.obstacle_reason = std::move(reason);
        wanted.plan.obstacle = std::move(message);
    };
    if (!wanted.revision) {
        missing("RevisionMissing",
                "revision " + spec.revision() + " has not arrived; it comes with the next batch of the parent");
        return wanted;
    }
    const auto& revision = store::as<model::Revision>(*wanted.revision);
    for (const auto& closed : revision.spec().components())
        if (closed.component().name() == spec.component()) wanted.closed = &closed;
    if (revision.spec().has_revoked())
        missing("Revoked", "revision " + spec.revision() + " is revoked and is started nowhere any more (" +
                               revision.spec().revoked().reason() + "); change the app, which makes another revision");
    if (!wanted.closed) {
        missing("ComponentMissing", "revision " + spec.revision() + " has no component " + spec.component());
        return wanted;
    }
    wanted.plan.hash = wanted.closed->hash();
    // What is decided in this very cell needs nobody's leave.
    wanted.once =
        wanted.closed->component().partition().policy() == "atMostOnce" && model::decided_at(revision) != store.cell().text();
    for (const auto& port : wanted.closed->component().ports())
        if (port.has_publish()) wanted.ports.push_back(model::NodePort::of(port));
    return wanted;
}

namespace {

/// Text of the key of a pinned Secret or Config.
Result<std::string> pinned_value(const store::Store& store, const Wanted& wanted, const model::EnvSource& from) {
    bool secret = from.has_secret();
    const std::string& name = secret ? from.secret() : from.config();
    const auto& revision = store::as<model::Revision>(*wanted.revision);
    for (const auto& pin : revision.spec().pins()) {
        if (pin.name() != name || pin.kind() != (secret ? "Secret" : "Config")) continue;
        auto copy = store.get(Key{secret ? Kind::secret : Kind::config, wanted.object->key.project, pin.copy()});
        std::string title = (secret ? "secret " : "config ") + pin.copy();
        if (!copy) return fail(Code::not_found, title + " has not arrived; it comes with the next batch of the parent");
        if (secret) {
            const auto& values = store::as<model::Secret>(*copy).data();
            auto value = values.find(from.key());
            if (value != values.end()) return value->second;
        } else {
            const auto& values = store::as<model::Config>(*copy).data();
            auto value = values.find(from.key());
            if (value != values.end()) return value->second;
        }
        return fail(Code::not_found, title + " has no key " + from.key());
    }
    return fail(Code::not_found,
                "revision " + revision.metadata().name() + " pins no " + (secret ? "secret " : "config ") + name);
}

/// execve(2) takes strings without a zero byte, of at most MAX_ARG_STRLEN with their end.
Result<std::string> fit_for_exec(const std::string& name, std::string value) {
    constexpr std::size_t most = 128 << 10;
    if (value.find('\0') != value.npos)
        return fail(Code::invalid, "its value has a zero byte, which no environment variable can hold (keep it as base64 text)");
    if (name.size() + value.size() + 2 > most)
        return fail(Code::invalid, "its value has " + std::to_string(value.size()) + " bytes; with the name, " +
                                       std::to_string(most - 2) + " is the most that Linux hands to a program");
    return value;
}

std::string last_label(const std::string& name) { return name.substr(name.rfind('.') + 1); }

} // namespace

Result<drivers::InstanceSpec> spec_for(const store::Store& store, const Wanted& wanted, const std::string& node) {
    const auto& component = wanted.closed->component();
    const auto& instance = *wanted.instance;
    auto site = store.get(Key{Kind::site, "", instance.spec().site()});
    auto lookup = [&](std::string_view name) -> std::optional<std::string> {
        constexpr std::string_view values = "site.values.";
        if (name == "site.name") return instance.spec().site();
        if (name == "node.name") return node;
        if (name == "instance.name") return instance.metadata().name();
        if (name == "app.name") return instance.spec().app();
        if (!name.starts_with(values) || !site) return std::nullopt;
        const auto& table = store::as<model::Site>(*site).spec().values();
        auto found = table.find(std::string(name.substr(values.size())));
        if (found == table.end()) return std::nullopt;
        return found->second;
    };
    drivers::InstanceSpec spec;
    spec.name = instance_name(wanted.object->uid);
    spec.title = wanted.object->key.project + "/" + wanted.object->key.name;
    spec.image = wanted.digest();
    spec.command.assign(component.command().begin(), component.command().end());
    spec.args.assign(component.args().begin(), component.args().end());
    spec.working_dir = component.working_dir();
    spec.user = component.user();
    spec.hostname = component.name() + "-" + last_label(instance.metadata().name());
    if (!component.resources().cpu().empty()) spec.cpu = TRY(parse_cpu(component.resources().cpu()) | during("resources.cpu"));
    if (!component.resources().memory().empty())
        spec.memory = TRY(parse_bytes(component.resources().memory()) | during("resources.memory"));
    spec.stop_grace = wanted.stop_grace();
    for (const auto& variable : component.env()) {
        std::string doing = "env " + variable.name();
        auto value =
            variable.has_from() ? pinned_value(store, wanted, variable.from()) : model::substitute(variable.value(), lookup);
        spec.environment[variable.name()] =
            TRY(fit_for_exec(variable.name(), TRY(std::move(value) | during(doing))) | during(doing));
    }
    return spec;
}

drivers::network::Wish network_wish(const Wanted& wanted, const drivers::InstanceSpec& spec) {
    drivers::network::Wish wish{.instance = spec.name, .hostname = spec.hostname, .ports = {}};
    for (const auto& port : wanted.closed->component().ports()) {
        if (!port.has_publish()) continue;
        using Protocol = drivers::network::PublishedPort::Protocol;
        wish.ports.push_back({static_cast<std::uint16_t>(port.publish()), static_cast<std::uint16_t>(port.port()),
                              port.protocol() == "udp" ? Protocol::udp : Protocol::tcp});
    }
    return wish;
}

} // namespace skerry::node
