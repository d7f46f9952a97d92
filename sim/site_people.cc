#include "sim/site_people.h"

#include "base/json.h"
#include "model/override.pb.h"
#include "sim/fleet.h"

#include <algorithm>

namespace skerry::sim {

using model::Kind;

namespace {

constexpr const char* marked_path = "spec.components[name=main].args";

store::Key app_key(const std::string& name) { return {Kind::app, Operators::project, name}; }

std::string value_of(std::uint32_t marker) { return write_json(Json::array({Json("--marker=" + std::to_string(marker))})); }

store::ObjectPtr override_of(const store::Store& store, const std::string& site, const std::string& app) {
    for (const auto& object : store.list(Kind::override_)) {
        const auto& spec = store::as<model::Override>(*object).spec();
        if (object->home == store.cell() && spec.site() == site && spec.target().name() == app && spec.path() == marked_path)
            return object;
    }
    return nullptr;
}

} // namespace

void SitePeople::until_answered(const Subject& subject, std::uint64_t ticket,
                                std::function<void(std::function<void()> done)> ask) {
    auto at = busy_.find(subject);
    if (at == busy_.end() || at->second != ticket) return;
    // Whoever gets no answer asks again: the process may die with the question.
    fleet_.agenda().at(fleet_.now() + 1s, What::operate, 0, Agenda::Bound::free,
                       [this, subject, ticket, ask] { until_answered(subject, ticket, ask); });
    auto& computer = fleet_.computer(subject.first);
    if (!computer.attends()) return;
    ask([this, subject, ticket] {
        auto at = busy_.find(subject);
        if (at != busy_.end() && at->second == ticket) busy_.erase(at);
    });
}

void SitePeople::apply(Cell site, const AppWish& wish) {
    Subject subject{site, wish.name};
    apps_[subject] = {.wish = wish, .acknowledged = {}};
    names_.insert(wish.name);
    std::uint64_t ticket = begin(subject);
    until_answered(subject, ticket, [this, subject, ticket](std::function<void()> done) {
        auto answer = [this, subject, ticket, done](std::expected<cell::Admitted, cell::Refusal> answer) {
            auto at = busy_.find(subject);
            if (at == busy_.end() || at->second != ticket) return;
            if (!answer) {
                auto code = answer.error().error.code;
                // Before the site has its first slice there is no project to make it in.
                if (code != Code::exists && code != Code::not_found && code != Code::unavailable && code != Code::conflict &&
                    code != Code::exhausted) // its disk is full: asked again
                    fleet_.violate("admits", "app " + subject.second + " is refused: " + answer.error().error.message);
                return;
            }
            const auto& object = *answer->object;
            apps_[subject].acknowledged = {object.uid.text(), object.generation,
                                           store::as<model::App>(object).spec().SerializeAsString()};
            fleet_.tell("app " + subject.second + " is acknowledged at " + fleet_.computer(subject.first).name);
            done();
        };
        auto& cell = fleet_.computer(subject.first).process->cell();
        auto app = app_of(apps_.at(subject).wish);
        if (cell.store().get(app_key(subject.second)))
            cell.admission().update(people(), Kind::app, std::move(app), {}, answer);
        else
            cell.admission().create(people(), Kind::app, std::move(app), {}, answer);
    });
}

void SitePeople::remove(Cell site, const std::string& name) {
    Subject subject{site, name};
    apps_.erase(subject);
    std::uint64_t ticket = begin(subject);
    until_answered(subject, ticket, [this, subject](std::function<void()> done) {
        fleet_.computer(subject.first)
            .process->cell()
            .admission()
            .remove(people(), app_key(subject.second), {}, {}, [done](std::expected<cell::Admitted, cell::Refusal> answer) {
                if (answer || answer.error().error.code == Code::not_found) done();
            });
    });
}

void SitePeople::edit(Cell site, const std::string& name, std::optional<std::uint32_t> marker, std::function<void()> done) {
    Subject subject{site, name};
    auto& cell = fleet_.computer(site).process->cell();
    auto object = cell.store().get(app_key(name));
    // Gone, or never here: there is nothing to edit.
    if (!object || object->home == cell.store().cell()) return done();
    auto app = std::make_unique<model::App>();
    if (object->wish.bytes) app->ParseFromString(*object->wish.bytes);
    if (app->spec().components_size() == 0) return done();
    if (marker) { // without one: what the core says, which drops the override
        app->mutable_spec()->mutable_components(0)->clear_args();
        app->mutable_spec()->mutable_components(0)->add_args("--marker=" + std::to_string(*marker));
    }
    cell.admission().update(
        people(), Kind::app, std::move(app), {},
        [this, subject, marker, done](std::expected<cell::Admitted, cell::Refusal> answer) {
            if (!answer) {
                auto code = answer.error().error.code;
                if (code == Code::not_found) return done();
                if (code != Code::unavailable && code != Code::conflict &&
                    code != Code::exhausted) // its disk is full: asked again
                    fleet_.violate("admits", "an edit of " + subject.second + " at " + fleet_.computer(subject.first).name +
                                                 " is refused: " + answer.error().error.message);
                return;
            }
            auto& computer = fleet_.computer(subject.first);
            auto made = override_of(computer.process->store(), computer.name, subject.second);
            if (marker && made) // else the core says the same
                marks_[subject] = {*marker, made->key.name, made->uid.text(), made->generation,
                                   store::as<model::Override>(*made).spec().target().uid()};
            fleet_.tell(computer.name + (made ? " decides the marker of " : " leaves the marker to the core, of ") +
                        subject.second);
            done();
        });
}

void SitePeople::mark(Cell site, const std::string& app, std::uint32_t marker) {
    marks_.erase({site, app});
    std::uint64_t ticket = begin({site, app});
    until_answered({site, app}, ticket,
                   [this, site, app, marker](std::function<void()> done) { edit(site, app, marker, std::move(done)); });
}

void SitePeople::drop(Cell site, const std::string& app) {
    marks_.erase({site, app});
    std::uint64_t ticket = begin({site, app});
    until_answered({site, app}, ticket, [this, site, app](std::function<void()> done) { edit(site, app, {}, std::move(done)); });
}

void SitePeople::look_again(Cell site) {
    auto apps = apps_;
    auto marks = marks_;
    for (const auto& [subject, own] : apps)
        if (subject.first == site) apply(site, own.wish);
    for (const auto& [subject, made] : marks)
        if (subject.first == site) mark(site, subject.second, made.marker);
    const auto& store = fleet_.computer(site).process->store();
    for (const auto& object : store.list(Kind::app))
        if (object->home == store.cell() && !apps_.contains({site, object->key.name})) remove(site, object->key.name);
    for (const auto& object : store.list(Kind::override_)) {
        const auto& app = store::as<model::Override>(*object).spec().target().name();
        if (object->home == store.cell() && !marks_.contains({site, app}) && !busy_.contains({site, app})) drop(site, app);
    }
}

void SitePeople::do_something(Cell site, env::Chance& chance) {
    double drawn = chance.fraction();
    std::vector<std::string> own, given;
    for (const auto& [subject, app] : apps_)
        if (subject.first == site) own.push_back(subject.second);
    for (const auto& [name, wish] : fleet_.operators().wishes()) given.push_back(name);
    auto any = [&](const std::vector<std::string>& names) { return names[chance.bits() % names.size()]; };
    auto marker = static_cast<std::uint32_t>(chance.bits() % 1000);
    if (own.size() < 2 && drawn < 0.3) {
        AppWish wish{.name = "own-" + std::to_string(++made_), .tier = {}, .marker = marker, .by_digest = true};
        return apply(site, wish);
    }
    if (!own.empty() && drawn < 0.5) {
        AppWish wish = apps_.at({site, any(own)}).wish;
        wish.marker = marker;
        return apply(site, wish);
    }
    if (!own.empty() && drawn < 0.6) return remove(site, any(own));
    if (given.empty()) return;
    drawn < 0.85 ? mark(site, any(given), marker) : drop(site, any(given));
}

const AppWish* SitePeople::find(const std::string& name) const {
    for (const auto& [subject, app] : apps_)
        if (subject.second == name) return &app.wish;
    return nullptr;
}

std::optional<std::uint32_t> SitePeople::marker_at(Cell site, const std::string& app) const {
    auto at = marks_.find({site, app});
    if (at == marks_.end()) return std::nullopt;
    auto object = fleet_.core().process ? fleet_.core().process->store().get(app_key(app)) : nullptr;
    if (object && object->uid.text() != at->second.app_uid) return std::nullopt;
    return at->second.marker;
}

std::string SitePeople::missing(Cell site) const {
    auto& computer = fleet_.computer(site);
    if (!computer.process || !computer.process->works()) return {};
    const auto& store = computer.process->store();
    for (const auto& [subject, app] : apps_) {
        if (subject.first != site || !app.acknowledged) continue;
        auto object = store.get(app_key(subject.second));
        bool there = object && object->uid.text() == app.acknowledged->uid &&
                     object->generation >= app.acknowledged->generation &&
                     store::as<model::App>(*object).spec().SerializeAsString() == app.acknowledged->spec;
        if (!there)
            return "App " + subject.second + ", acknowledged at " + computer.name + " in generation " +
                   std::to_string(app.acknowledged->generation) + ", is not there so any more";
    }
    for (const auto& [subject, mark] : marks_) {
        if (subject.first != site) continue;
        auto object = store.get({Kind::override_, Operators::project, mark.override_name});
        bool there = object && object->uid.text() == mark.uid && object->generation >= mark.generation &&
                     store::as<model::Override>(*object).spec().value() == value_of(mark.marker);
        if (!there)
            return "override " + mark.override_name + ", acknowledged at " + computer.name + " with marker " +
                   std::to_string(mark.marker) + ", is not there so any more";
    }
    return {};
}

} // namespace skerry::sim
