#include "cell/slices/slicer.h"

#include "base/check.h"
#include "cell/handover.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/places/overriding.h"
#include "model/revision.pb.h"

#include <google/protobuf/message.h>

#include <utility>

namespace skerry::cell {

namespace {

using env::Peer;
using model::Kind;
using store::Key;
using store::Object;
using store::Part;

const std::vector<Part> nothing, wish_only{Part::wish}, found_only{Part::found}, wish_and_found{Part::wish, Part::found};

bool is_decided_here(const Object& object) { return !object.wish.from; }

void refer(std::vector<Key>& keys, Kind kind, const std::string& project, const std::string& name) {
    if (!name.empty()) keys.push_back({kind, project, name});
}

/// What any object pulls along, in whatever slice it is.
std::vector<Key> references_of(const Object& object) {
    std::vector<Key> keys;
    const std::string& project = object.key.project;
    switch (object.key.kind) {
    case Kind::allocation:
        refer(keys, Kind::project, "", project);
        // The App itself, so that the site's API shows it and takes edits of it (rule W2).
        refer(keys, Kind::app, project, store::as<model::Allocation>(object).spec().app());
        refer(keys, Kind::revision, project, store::as<model::Allocation>(object).spec().revision());
        break;
    case Kind::app: {
        const auto& app = store::as<model::App>(object);
        if (only_site_of(app).empty()) break;
        refer(keys, Kind::project, "", project);
        for (const auto& component : app.spec().components())
            for (const auto& variable : component.env()) {
                refer(keys, Kind::secret, project, variable.from().secret());
                refer(keys, Kind::config, project, variable.from().config());
            }
        break;
    }
    case Kind::site:
        refer(keys, Kind::project, "", "default"); // for Apps of the site's own (rule W1)
        break;
    case Kind::override_:
        refer(keys, Kind::project, "", project);
        break;
    case Kind::instance: {
        const auto& spec = store::as<model::Instance>(object).spec();
        refer(keys, Kind::project, "", project);
        refer(keys, Kind::site, "", spec.site());
        refer(keys, Kind::revision, project, spec.revision());
        // Of one with overrides the parent has the original, whose pins it has.
        if (auto original = model::original_of(spec.revision()); original != spec.revision())
            refer(keys, Kind::revision, project, std::string(original));
        break;
    }
    case Kind::node:
        refer(keys, Kind::site, "", store::as<model::Node>(object).spec().site());
        break;
    case Kind::revision:
        refer(keys, Kind::project, "", project);
        for (const auto& pin : store::as<model::Revision>(object).spec().pins())
            refer(keys, pin.kind() == "Secret" ? Kind::secret : Kind::config, project,
                  pin.copy().empty() ? pin.name() : pin.copy());
        break;
    default:
        break;
    }
    return keys;
}

/// Events of any home: a site forwards those of its nodes. (What another cell sent or decided is not overwritten, whatever the
/// kind.)
bool is_event(const Member& member) { return member.key.kind == Kind::event && member.part == Part::wish; }

/// Whether the Revision that a site's Instance names is of the App that was given to the site, so that a captured one cannot fetch
/// another's Secrets by naming them (rule A2).
bool is_of_its_app(const Object& instance, const Slicer::Lookup& get) {
    const auto& spec = store::as<model::Instance>(instance).spec();
    const std::string& project = instance.key.project;
    auto given = get({Kind::allocation, project, spec.allocation()});
    if (!given || !is_decided_here(*given) || store::as<model::Allocation>(*given).spec().site() != spec.site()) return false;
    auto revision_of = [&](const std::string& name) {
        return get({Kind::revision, project, std::string(model::original_of(name))});
    };
    auto now = revision_of(store::as<model::Allocation>(*given).spec().revision()), named = revision_of(spec.revision());
    return now && named &&
           store::as<model::Revision>(*now).spec().app_uid() == store::as<model::Revision>(*named).spec().app_uid();
}

class SitesSlicer final : public Slicer {
public:
    SliceLane lane(const Member& member) const override {
        Kind kind = member.key.kind;
        bool from_site = kind == Kind::node || kind == Kind::instance || kind == Kind::event;
        return member.part == Part::wish && !from_site ? SliceLane::desired : SliceLane::status;
    }
    std::vector<Root> roots(const Object& object, const Lookup& get) const override {
        if (object.key.kind == Kind::site) return {{object.key.name, wish_only, Peer::Role::site}};
        // In the middle of an update a site must be able to start what it has not updated yet, also after it was cut off.
        if (object.key.kind == Kind::instance && !is_decided_here(object)) {
            if (!is_of_its_app(object, get)) return {};
            return {{store::as<model::Instance>(object).spec().site(), nothing, Peer::Role::site}};
        }
        // What else a site sent of its own is no wish of ours: it would pull along what it names, another's Secrets too.
        if (!is_decided_here(object)) return {};
        std::string site;
        if (object.key.kind == Kind::app) site = only_site_of(object.message());
        if (object.key.kind == Kind::allocation) site = store::as<model::Allocation>(object).spec().site();
        if (object.key.kind == Kind::override_) site = store::as<model::Override>(object).spec().site();
        return site.empty() ? std::vector<Root>{} : std::vector<Root>{{site, wish_only, Peer::Role::site}};
    }
    std::vector<Key> references(const Object& object) const override { return references_of(object); }

    bool accepts(const Peer& from, const Member& member, CellId home, const google::protobuf::Message& content,
                 const Object* before) const override {
        if (from.role != Peer::Role::site) return false;
        bool own = home == from.cell && (member.part == Part::wish || (before && before->home == from.cell));
        switch (member.key.kind) {
        case Kind::site:
            return member.part == Part::found && member.key.name == from.name;
        case Kind::allocation:
            if (member.part == Part::found) return !before || store::as<model::Allocation>(*before).spec().site() == from.name;
            return member.part == Part::wish && own && static_cast<const model::Allocation&>(content).spec().site() == from.name;
        case Kind::app: // of the site's own (rule W1): shown here, and no loop of ours follows it
            if (member.part == Part::found) return !before || own;
            return member.part == Part::wish && own;
        case Kind::override_:
            if (member.part == Part::found) return !before || store::as<model::Override>(*before).spec().site() == from.name;
            return member.part == Part::wish && own && static_cast<const model::Override&>(content).spec().site() == from.name;
        case Kind::node:
            if (member.part == Part::found) return !before || own;
            return member.part == Part::wish && own && static_cast<const model::Node&>(content).spec().site() == from.name;
        case Kind::instance:
            if (member.part == Part::found) return !before || own;
            return member.part == Part::wish && own && static_cast<const model::Instance&>(content).spec().site() == from.name;
        case Kind::event:
            return is_event(member);
        default:
            return false;
        }
    }
};

class NodesSlicer final : public Slicer {
public:
    SliceLane lane(const Member& member) const override {
        return member.part == Part::wish && member.key.kind != Kind::event ? SliceLane::desired : SliceLane::status;
    }
    std::vector<Root> roots(const Object& object, const Lookup&) const override {
        // Copies of what other sites decided for their own nodes are not for ours, whatever their names.
        if (!is_decided_here(object)) return {};
        if (object.key.kind == Kind::node) return {{object.key.name, wish_only, Peer::Role::node}};
        if (object.key.kind != Kind::instance) return {};
        const auto& node = store::as<model::Instance>(object).spec().node();
        return node.empty() ? std::vector<Root>{} : std::vector<Root>{{node, wish_only, Peer::Role::node}};
    }
    std::vector<Key> references(const Object& object) const override { return references_of(object); }

    bool accepts(const Peer& from, const Member& member, CellId, const google::protobuf::Message&,
                 const Object* before) const override {
        if (from.role != Peer::Role::node) return false;
        switch (member.key.kind) {
        case Kind::node:
            return member.part == Part::found && member.key.name == from.name && (!before || is_decided_here(*before));
        case Kind::instance:
            return member.part == Part::found &&
                   (!before || (is_decided_here(*before) && store::as<model::Instance>(*before).spec().node() == from.name));
        case Kind::event:
            return is_event(member);
        default:
            return false;
        }
    }
};

class BothSlicer final : public Slicer {
public:
    BothSlicer(std::unique_ptr<Slicer> sites, std::unique_ptr<Slicer> nodes)
        : sites_(std::move(sites)), nodes_(std::move(nodes)) {
        CHECK(sites_ && nodes_);
    }

    /// For nodes, what differs for sites, is told by the role: see `lane_for`.
    SliceLane lane(const Member& member) const override { return sites_->lane(member); }
    SliceLane lane_for(Peer::Role role, const Member& member) const override {
        return role == Peer::Role::node ? nodes_->lane(member) : sites_->lane(member);
    }
    std::vector<Root> roots(const Object& object, const Lookup& get) const override {
        auto roots = sites_->roots(object, get);
        for (auto& root : nodes_->roots(object, get)) roots.push_back(std::move(root));
        return roots;
    }
    std::vector<Key> references(const Object& object) const override { return references_of(object); }
    bool accepts(const Peer& from, const Member& member, CellId home, const google::protobuf::Message& content,
                 const Object* before) const override {
        return (from.role == Peer::Role::node ? nodes_ : sites_)->accepts(from, member, home, content, before);
    }

private:
    std::unique_ptr<Slicer> sites_, nodes_;
};

/// What a cell sends its parent: found of what the parent wishes, and what is decided here.
class UpSlicer : public Slicer {
public:
    SliceLane lane(const Member& member) const override { return is_report(member) ? SliceLane::status : SliceLane::desired; }
    std::vector<Key> references(const Object&) const override { return {}; }
    bool accepts(const Peer& from, const Member& member, CellId, const google::protobuf::Message&, const Object*) const override {
        return from.role != Peer::Role::node && member.part == Part::wish;
    }

protected:
    virtual bool is_report(const Member&) const = 0;
    static std::vector<Root> up(const std::vector<Part>& parts) { return {{"parent", parts, Peer::Role::core}}; }
};

class SiteUpSlicer : public UpSlicer {
public:
    SiteUpSlicer(std::string site, CellId self) : site_(std::move(site)), self_(self) {}

    std::vector<Root> roots(const Object& object, const Lookup&) const override {
        bool goes_over = is_handed_over(object, self_);
        switch (object.key.kind) {
        case Kind::secret:
        case Kind::config:
        case Kind::revision:
            return goes_over ? up(wish_only) : std::vector<Root>{};
        case Kind::site:
            return object.key.name == site_ ? up(found_only) : std::vector<Root>{};
        case Kind::allocation:
            if (store::as<model::Allocation>(object).spec().site() != site_) return {};
            return up(is_decided_here(object) ? wish_and_found : found_only);
        case Kind::override_:
            if (store::as<model::Override>(object).spec().site() != site_) return {};
            return up(is_decided_here(object) ? wish_and_found : found_only);
        case Kind::app:
        case Kind::node:
        case Kind::instance:
            if (!is_decided_here(object)) return {};
            return up(goes_over ? wish_only : wish_and_found);
        case Kind::event:
            return up(wish_only);
        default:
            return {};
        }
    }

private:
    bool is_report(const Member& member) const override {
        Kind kind = member.key.kind;
        return member.part != Part::wish || kind == Kind::node || kind == Kind::instance || kind == Kind::event;
    }

    std::string site_;
    CellId self_;
};

class RegionUpSlicer final : public SiteUpSlicer {
public:
    using SiteUpSlicer::SiteUpSlicer;

    std::vector<Root> roots(const Object& object, const Lookup& get) const override {
        if (object.key.kind == Kind::event && !is_decided_here(object)) return {};
        return SiteUpSlicer::roots(object, get);
    }
};

class NodeUpSlicer final : public UpSlicer {
public:
    explicit NodeUpSlicer(std::string node) : node_(std::move(node)) {}

    std::vector<Root> roots(const Object& object, const Lookup&) const override {
        switch (object.key.kind) {
        case Kind::node:
            return object.key.name == node_ ? up(found_only) : std::vector<Root>{};
        case Kind::instance:
            return store::as<model::Instance>(object).spec().node() == node_ ? up(found_only) : std::vector<Root>{};
        case Kind::event:
            return is_decided_here(object) ? up(wish_only) : std::vector<Root>{};
        default:
            return {};
        }
    }

private:
    bool is_report(const Member& member) const override { return member.part != Part::wish || member.key.kind == Kind::event; }

    std::string node_;
};

} // namespace

std::unique_ptr<Slicer> slices_for_sites() { return std::make_unique<SitesSlicer>(); }
std::unique_ptr<Slicer> slices_for_nodes() { return std::make_unique<NodesSlicer>(); }
std::unique_ptr<Slicer> slices_for_both(std::unique_ptr<Slicer> sites, std::unique_ptr<Slicer> nodes) {
    return std::make_unique<BothSlicer>(std::move(sites), std::move(nodes));
}
std::unique_ptr<Slicer> slice_of_site(std::string site, CellId self) {
    return std::make_unique<SiteUpSlicer>(std::move(site), self);
}
std::unique_ptr<Slicer> slice_of_region(std::string region) {
    return std::make_unique<RegionUpSlicer>(std::move(region), CellId{});
}
std::unique_ptr<Slicer> slice_of_node(std::string node) { return std::make_unique<NodeUpSlicer>(std::move(node)); }

} // namespace skerry::cell
