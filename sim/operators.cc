#include "sim/operators.h"

#include "model/image.pb.h"
#include "model/revision.pb.h"
#include "sim/fleet.h"

#include <google/protobuf/unknown_field_set.h>

#include <utility>

namespace skerry::sim {

using model::Kind;

trust::Identity people() { return trust::Identity::user("operator", {std::string(trust::administrators)}); }

namespace {

/// Of a build to come.
void add_unknown(google::protobuf::Message& message) {
    message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(Operators::unknown_field, "of a newer build");
}

} // namespace

std::unique_ptr<model::App> app_of(const AppWish& wish, bool newer) {
    auto app = std::make_unique<model::App>();
    app->mutable_metadata()->set_name(wish.name);
    app->mutable_metadata()->set_namespace_(Operators::project);
    (*app->mutable_metadata()->mutable_labels())["touched"] = std::to_string(wish.label);
    auto& spec = *app->mutable_spec();
    spec.set_state(wish.running ? "running" : "stopped");
    spec.mutable_rollout()->set_max_unavailable(wish.max_unavailable);
    auto& component = *spec.add_components();
    component.set_name("main");
    component.set_image(wish.by_digest ? "pos@" + Operators::digest(wish.image) : "pos:" + std::to_string(wish.image));
    component.add_args("--marker=" + std::to_string(wish.marker));
    component.mutable_resources()->set_cpu(wish.cpu);
    component.mutable_resources()->set_memory("64Mi");
    auto& port = *component.add_ports();
    port.set_name("http");
    port.set_port(8080);
    if (wish.publish != 0) port.set_publish(wish.publish);
    if (wish.health) {
        component.mutable_health()->mutable_http()->set_port("http");
        component.mutable_health()->set_period("10s");
    }
    auto& variable = *component.add_env();
    variable.set_name("WHERE");
    variable.set_value("$(site.name)");
    component.mutable_partition()->set_policy(wish.policy);
    auto& placement = *component.mutable_placement();
    placement.set_mode(wish.each ? "each" : "spread");
    placement.set_replicas(wish.replicas);
    if (!wish.replace_after.empty()) component.mutable_partition()->set_replace_after(wish.replace_after);
    if (!wish.on_heal.empty()) component.mutable_partition()->set_on_heal(wish.on_heal);
    if (wish.halted) spec.mutable_rollout()->set_halted(true);
    if (!wish.tier.empty()) (*placement.mutable_sites()->mutable_match_labels())["tier"] = wish.tier;
    if (newer) {
        add_unknown(spec);
        add_unknown(component);
    }
    return app;
}

namespace {

store::Key key_of(const std::string& name) { return {Kind::app, Operators::project, name}; }

} // namespace

std::string Operators::digest(std::uint32_t tag) {
    std::string digits = std::to_string(tag);
    return "sha256:" + std::string(64 - digits.size(), 'a') + digits;
}

void Operators::again(std::function<void()> call) {
    fleet_.agenda().at(fleet_.now() + 1s, What::operate, 0, Agenda::Bound::free, std::move(call));
}

void Operators::push_image() {
    if (image_there_) return;
    auto& core = fleet_.core();
    again([this] { push_image(); });
    if (!core.attends()) return;
    auto image = std::make_unique<model::Image>();
    image->mutable_metadata()->set_name("pos");
    image->mutable_metadata()->set_namespace_(project);
    for (std::uint32_t tag = 0; tag < tags; ++tag) {
        auto& line = *image->mutable_spec()->add_tags();
        line.set_name(std::to_string(tag));
        line.set_digest(digest(tag));
    }
    core.process->cell().admission().create(people(), Kind::image, std::move(image), {},
                                            [this](std::expected<cell::Admitted, cell::Refusal> answer) {
                                                if (answer || answer.error().error.code == Code::exists)
                                                    image_there_ = true;
                                                else
                                                    fleet_.tell("the image is refused: " + answer.error().error.message);
                                            });
}

void Operators::apply(const AppWish& wish) {
    wishes_[wish.name] = wish;
    if (wish.policy == "atMostOnce") {
        once_[wish.name].each = wish.each;
        once_[wish.name].most = std::max(once_[wish.name].most, wish.replicas);
    }
    acknowledged_.erase(wish.name); // what stood before may be replaced from here on
    write(wish.name, busy_[wish.name] = ++tickets_);
}

void Operators::remove(const std::string& name) {
    wishes_.erase(name);
    acknowledged_.erase(name);
    erase(name, busy_[name] = ++tickets_);
}

void Operators::write(const std::string& name, std::uint64_t ticket) {
    if (busy_[name] != ticket) return;
    auto& core = fleet_.core();
    // Whoever gets no answer asks again: the process may die with the question.
    again([this, name, ticket] {
        auto at = busy_.find(name);
        if (at != busy_.end() && at->second == ticket) write(name, ticket);
    });
    if (!core.attends()) return;
    auto answer = [this, name, ticket](std::expected<cell::Admitted, cell::Refusal> answer) {
        auto at = busy_.find(name);
        if (at == busy_.end() || at->second != ticket) return;
        if (!answer) {
            auto code = answer.error().error.code;
            if (code != Code::exists && code != Code::not_found && code != Code::unavailable && code != Code::conflict &&
                code != Code::exhausted) // its disk is full: asked again
                fleet_.violate("admits", "app " + name + " is refused: " + answer.error().error.message);
            return;
        }
        busy_.erase(at);
        const auto& object = *answer->object;
        acknowledged_[name] = {object.uid.text(), object.generation, store::as<model::App>(object).spec().SerializeAsString()};
        fleet_.tell("app " + name + " is acknowledged in generation " + std::to_string(object.generation));
    };
    auto& cell = core.process->cell();
    auto app = app_of(wishes_.at(name), fleet_.newer_core);
    if (cell.store().get(key_of(name)))
        cell.admission().update(people(), Kind::app, std::move(app), {}, answer);
    else
        cell.admission().create(people(), Kind::app, std::move(app), {}, answer);
}

void Operators::erase(const std::string& name, std::uint64_t ticket) {
    if (busy_[name] != ticket) return;
    auto& core = fleet_.core();
    again([this, name, ticket] {
        auto at = busy_.find(name);
        if (at != busy_.end() && at->second == ticket) erase(name, ticket);
    });
    if (!core.attends()) return;
    core.process->cell().admission().remove(people(), key_of(name), {}, {},
                                            [this, name, ticket](std::expected<cell::Admitted, cell::Refusal> answer) {
                                                auto at = busy_.find(name);
                                                if (at == busy_.end() || at->second != ticket) return;
                                                if (!answer && answer.error().error.code != Code::not_found) return;
                                                busy_.erase(at);
                                                fleet_.tell("app " + name + " is deleted");
                                            });
}

void Operators::revoke(const std::string& name) {
    auto& core = fleet_.core();
    const auto* app = core.process ? core.process->store().get<model::App>(key_of(name)) : nullptr;
    if (!app || app->status().revision().empty()) return again([this, name] { revoke(name); });
    revoke_revision(app->status().revision());
}

void Operators::revoke_revision(const std::string& revision) {
    auto& core = fleet_.core();
    const auto* now = core.process ? core.process->store().get<model::Revision>({Kind::revision, project, revision}) : nullptr;
    // What the store shows is durable.
    if (now && now->spec().has_revoked()) return;
    again([this, revision] { revoke_revision(revision); });
    if (!now) return;
    auto revoked = std::make_unique<model::Revision>(*now);
    revoked->mutable_spec()->mutable_revoked()->set_reason("an operator said so");
    core.process->cell().admission().update(people(), Kind::revision, std::move(revoked), {},
                                            [this, revision](std::expected<cell::Admitted, cell::Refusal> answer) {
                                                if (answer) fleet_.tell("revision " + revision + " is revoked");
                                            });
}

void Operators::look_again() {
    image_there_ = false;
    push_image();
    auto wishes = wishes_;
    for (const auto& [name, wish] : wishes) apply(wish);
    const auto& store = fleet_.core().process->store();
    for (const auto& object : store.list(Kind::app))
        if (object->home == store.cell() && !wishes_.contains(object->key.name)) remove(object->key.name);
}

void Operators::do_something(env::Chance& chance) {
    double drawn = chance.fraction();
    if (wishes_.empty() || (wishes_.size() < most_apps && drawn < 0.25)) {
        AppWish wish;
        wish.name = "app-" + std::to_string(++made_);
        wish.each = chance.fraction() < 0.6;
        wish.replicas = 1 + static_cast<std::uint32_t>(chance.bits() % (wish.each ? 2 : 5));
        wish.marker = static_cast<std::uint32_t>(chance.bits() % 1000);
        wish.image = static_cast<std::uint32_t>(chance.bits() % tags);
        wish.health = chance.fraction() < 0.5;
        if (wish.each && wish.replicas == 1 && chance.fraction() < 0.5) wish.publish = static_cast<std::uint16_t>(8000 + made_);
        double policy = chance.fraction();
        if (policy < 0.15) {
            wish.policy = "atMostOnce";
        } else if (policy < 0.4 && !wish.each) {
            constexpr const char* rules[] = {"keepOriginal", "keepSubstitute", "longestRunning"};
            wish.policy = "atLeastOnce";
            wish.replace_after = std::to_string(1 + chance.bits() % 5) + "m";
            wish.on_heal = rules[chance.bits() % std::size(rules)];
        }
        fleet_.tell("operator deploys " + wish.name + (wish.each ? " on each site x " : " spread x ") +
                    std::to_string(wish.replicas) + ", " + wish.policy);
        return apply(wish);
    }
    auto at = wishes_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(chance.bits() % wishes_.size()));
    AppWish wish = at->second;
    if (drawn < 0.55) {
        wish.marker = static_cast<std::uint32_t>(chance.bits() % 1000);
        if (chance.fraction() < 0.4) wish.image = static_cast<std::uint32_t>(chance.bits() % tags);
    } else if (drawn < 0.7) {
        ++wish.label;
    } else if (drawn < 0.82) {
        if (wish.publish == 0) wish.replicas = 1 + static_cast<std::uint32_t>(chance.bits() % (wish.each ? 2 : 5));
    } else if (drawn < 0.92) {
        wish.running = !wish.running;
    } else {
        fleet_.tell("operator deletes " + wish.name);
        return remove(wish.name);
    }
    fleet_.tell("operator changes " + wish.name + ": marker " + std::to_string(wish.marker) + ", image " +
                std::to_string(wish.image) + ", replicas " + std::to_string(wish.replicas) + (wish.running ? "" : ", stopped"));
    apply(wish);
}

} // namespace skerry::sim
