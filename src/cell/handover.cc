#include "cell/handover.h"

#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/places/pinned.h"
#include "model/revision.pb.h"
#include "model/rules/validate.h"
#include "model/site.pb.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

namespace skerry::cell {

using model::Kind;
using store::Key;
using store::Object;

namespace {

const model::Site* site_of(const store::Store& store, std::string_view name) {
    return store.get<model::Site>(Key{Kind::site, "", std::string(name)});
}

/// Whether this App is one that the site decides, or decided until it handed it over.
bool is_of_site(const Object& app, const std::string& site, CellId cell) {
    return app.wish.from ? app.wish.from == cell : only_site_of(app.message()) == site;
}

template<class Which>
bool any_app_of_site(const store::Store& store, const std::string& site, CellId cell, const std::string& project, Which which) {
    return std::ranges::any_of(store.list(Kind::app, project), [&](const store::ObjectPtr& app) {
        return is_of_site(*app, site, cell) && which(store::as<model::App>(*app));
    });
}

bool reads(const model::App& app, Kind kind, const std::string& name) {
    for (const auto& component : app.spec().components())
        for (const auto& variable : component.env())
            if ((kind == Kind::secret ? variable.from().secret() : variable.from().config()) == name) return true;
    return false;
}

/// `<name>.g<generation>.<first digits of uid>`: the name, and the digits.
std::pair<std::string, std::string> source_of(const std::string& copy) {
    auto last = copy.rfind('.');
    auto before = last == std::string::npos || last == 0 ? last : copy.rfind('.', last - 1);
    if (before == std::string::npos) return {};
    return {copy.substr(0, before), copy.substr(last + 1)};
}

/// A copy that a Revision keeps must not be one that our own Revisions would take for theirs.
std::string copy_problem(const store::Store& store, const std::string& site, CellId cell, const Key& key) {
    auto [name, digits] = source_of(key.name);
    bool read =
        any_app_of_site(store, site, cell, key.project, [&](const model::App& app) { return reads(app, key.kind, name); });
    if (!read) return "no App of the site that hands it over reads what it is a copy of";
    bool ours = std::ranges::any_of(store.list(key.kind, key.project), [&](const store::ObjectPtr& object) {
        return !object->wish.from && only_site_of(object->message()) != site && object->uid.text().starts_with(digits);
    });
    return ours ? "it would be taken for a copy of what is decided here" : std::string();
}

} // namespace

bool is_leaving(const store::Store& store, std::string_view site) {
    const auto* object = site_of(store, site);
    return object && object->metadata().annotations().contains(std::string(model::decommission_annotation));
}

bool has_handed_over(const store::Store& store, std::string_view site) {
    const auto* object = site_of(store, site);
    const auto* condition = object ? model::find_condition(object->status().conditions(), "Leaving") : nullptr;
    return condition && condition->reason() == "HandedOver";
}

std::string only_site_of(const google::protobuf::Message& object) {
    const auto& notes = model::metadata(object).annotations();
    auto note = notes.find(std::string(model::only_site_annotation));
    return note == notes.end() ? std::string() : note->second;
}

bool in_passage(const store::Store& store, const Object& app) {
    std::string site = only_site_of(app.message());
    return !site.empty() && is_leaving(store, site) && !has_handed_over(store, site);
}

bool is_handed_over(const Object& object, CellId self) { return self && !object.wish.from && object.home != self; }

std::string handover_problem(const store::Store& store, const std::string& site, CellId from, const Key& key,
                             const google::protobuf::Message& content) {
    if (!is_leaving(store, site)) return "the site hands over what nobody asked it for (skerry site decommission " + site + ")";
    model::Problems problems;
    model::validate(key.kind, content, problems);
    if (!problems.empty()) return problems.text();
    auto any_app = [&](auto which) { return any_app_of_site(store, site, from, key.project, which); };
    bool is_bound = only_site_of(content) == site;
    switch (key.kind) {
    case Kind::app:
        return is_bound ? "" : "it is not for the site alone that hands it over";
    case Kind::allocation:
        if (static_cast<const model::Allocation&>(content).spec().site() == site) return {};
        return "it is for another site than the one that hands it over";
    case Kind::revision: {
        const auto& uid = static_cast<const model::Revision&>(content).spec().app_uid();
        return any_app([&](const model::App& app) { return app.metadata().uid() == uid; })
                   ? ""
                   : "it is of no App of the site that hands it over";
    }
    case Kind::secret:
    case Kind::config:
        if (!is_bound) return "it is not for the site alone that hands it over";
        if (model::metadata(content).labels().contains(std::string(model::pinned_label)))
            return copy_problem(store, site, from, key);
        return any_app([&](const model::App& app) { return reads(app, key.kind, key.name); })
                   ? ""
                   : "no App of the site that hands it over reads it";
    default:
        return "objects of this kind are not handed over";
    }
}

} // namespace skerry::cell
