#include "model/text/columns.h"

#include "base/units.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/event.pb.h"
#include "model/image.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/parts.h"
#include "model/project.pb.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"
#include "model/text/summary.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <vector>

namespace skerry::model {

namespace {

using google::protobuf::Message;

std::string since(const std::string& time, WallTime now, std::string_view otherwise) {
    Result<WallTime> then = parse_rfc3339(time);
    if (!then) return std::string(otherwise);
    // Clocks differ; nothing is younger than new. Beyond 200 years a Duration ends.
    std::int64_t seconds = std::clamp<std::int64_t>(now.seconds - then->seconds, 0, 200LL * 366 * 86400);
    return age(std::chrono::seconds(seconds));
}

std::string or_none(std::string text) { return text.empty() ? "<none>" : text; }

/// "22681750323" → "21.1Gi"; what is even stays exact.
std::string amount(const std::string& memory) {
    auto bytes = parse_bytes(memory);
    if (!bytes) return or_none(memory);
    std::string exact = text(*bytes), about = rounded(*bytes);
    if (exact.size() <= 6) return exact;
    std::erase(about, ' ');
    about.pop_back(); // as kubectl writes it: without the B
    return about;
}

template<class Items, class Text>
std::string listed(const Items& items, Text text) {
    std::string out;
    int n = 0;
    for (const auto& item : items) {
        if (n == 4 && items.size() > 5) return out + fmt::format(" + {} more", static_cast<int>(items.size()) - n);
        if (n++) out += ',';
        out += text(item);
    }
    return or_none(std::move(out));
}

/// A column of messages of type M, from a captureless function of (const M&, WallTime).
template<class M, class Text>
Column column(std::string_view name, std::string_view description, Text, bool wide = false, std::string_view type = "string") {
    return {name, type, description, wide,
            [](const Message& message, WallTime now) { return Text{}(static_cast<const M&>(message), now); }};
}
template<class M, class Text>
Column wide(std::string_view name, std::string_view description, Text text) {
    return column<M>(name, description, text, true);
}
template<class M, class Text>
Column count(std::string_view name, std::string_view description, Text) {
    return {name, "integer", description, false,
            [](const Message& message, WallTime) { return std::to_string(Text{}(static_cast<const M&>(message))); }};
}

Column name_column() {
    return {"Name", "string", "Name of the object.", false, [](const Message& m, WallTime) { return metadata(m).name(); }};
}
Column age_column() {
    return {"Age", "string", "Time since the object was created at its home.", false,
            [](const Message& m, WallTime now) { return since(metadata(m).creation_timestamp(), now, "<unknown>"); }};
}

std::vector<Column> app_columns() {
    return {
        name_column(),
        column<App>("Revision", "The revision being rolled out.",
                    [](const App& a, WallTime) { return or_none(a.status().revision()); }),
        count<App>("Sites", "Sites it is placed at.", [](const App& a) { return a.status().sites(); }),
        count<App>("Updated", "Sites that run the revision.", [](const App& a) { return a.status().updated_sites(); }),
        column<App>(
            "Ready", "Replicas that work, of those wanted.",
            [](const App& a, WallTime) { return fmt::format("{}/{}", a.status().ready_replicas(), a.status().replicas()); }),
        column<App>("Status", "Ready, or why something wanted does not run.",
                    [](const App& a, WallTime) { return summary(a, a.spec().state() == "stopped" ? "Stopped" : "Ready"); }),
        age_column(),
        wide<App>(
            "Images", "Images of its components.",
            [](const App& a, WallTime) { return listed(a.spec().components(), [](const Component& c) { return c.image(); }); }),
    };
}

std::string touch(const Site& site) {
    if (holds(site.status().conditions(), "Revoked")) return "Revoked";
    const Condition* condition = find_condition(site.status().conditions(), "InTouch");
    if (condition && condition->status() == "True") return "In touch";
    if (site.status().cell().empty() && site.status().last_heard().empty()) return "Never joined";
    return condition && condition->status() == "False" ? "Away" : "Unknown";
}

std::string place(const Site& site) {
    const Location& where = site.status().has_location() ? site.status().location() : site.spec().location();
    std::string text = where.address();
    if (text.empty() && where.has_latitude()) text = fmt::format("{:.2f},{:.2f}", where.latitude(), where.longitude());
    if (!where.jurisdiction().empty()) text += (text.empty() ? "" : ", ") + where.jurisdiction();
    return or_none(text);
}

std::vector<Column> site_columns() {
    return {
        name_column(),
        column<Site>("Status", "In touch, Away or Never joined.", [](const Site& s, WallTime) { return touch(s); }),
        column<Site>("Nodes", "Machines that work, of those known.",
                     [](const Site& s, WallTime) { return fmt::format("{}/{}", s.status().ready_nodes(), s.status().nodes()); }),
        column<Site>("Free-CPU", "Processors not yet given to instances.",
                     [](const Site& s, WallTime) { return or_none(s.status().free().cpu()); }),
        column<Site>("Free-Memory", "Memory not yet given to instances.",
                     [](const Site& s, WallTime) { return amount(s.status().free().memory()); }),
        column<Site>("Last-Heard", "Time since the site was last heard from.",
                     [](const Site& s, WallTime now) { return since(s.status().last_heard(), now, "<never>"); }),
        age_column(),
        wide<Site>("Location", "Where it is, and whose law applies.", [](const Site& s, WallTime) { return place(s); }),
        wide<Site>("Cell", "The cell that speaks for it.", [](const Site& s, WallTime) { return or_none(s.status().cell()); }),
        wide<Site>("Version", "Version of the program there.",
                   [](const Site& s, WallTime) { return or_none(s.status().version()); }),
    };
}

std::vector<Column> node_columns() {
    return {
        name_column(),
        column<Node>("Site", "The site it stands in.", [](const Node& n, WallTime) { return n.spec().site(); }),
        column<Node>(
            "Status", "Ready, or why it takes no instances.",
            [](const Node& n, WallTime) { return summary(n, "Ready") + (n.spec().unschedulable() ? ",Unschedulable" : ""); }),
        column<Node>("CPU", "Processors that apps may use.",
                     [](const Node& n, WallTime) { return or_none(n.status().capacity().cpu()); }),
        column<Node>("Memory", "Memory that apps may use.",
                     [](const Node& n, WallTime) { return amount(n.status().capacity().memory()); }),
        column<Node>("Last-Heard", "Time since the node was last heard from.",
                     [](const Node& n, WallTime now) { return since(n.status().last_heard(), now, "<never>"); }),
        age_column(),
        wide<Node>("Runtimes", "Runtimes that work on it.",
                   [](const Node& n, WallTime) {
                       std::string out;
                       for (const Runtime& each : n.status().runtimes())
                           if (each.works()) out += (out.empty() ? "" : ",") + each.name();
                       return or_none(out);
                   }),
        wide<Node>("Addresses", "Addresses on the site's network.",
                   [](const Node& n, WallTime) { return listed(n.status().addresses(), [](auto& a) { return a; }); }),
        wide<Node>("OS", "Operating system.", [](const Node& n, WallTime) { return or_none(n.status().os()); }),
        wide<Node>("Kernel", "Kernel.", [](const Node& n, WallTime) { return or_none(n.status().kernel()); }),
        wide<Node>("Arch", "Architecture.", [](const Node& n, WallTime) { return or_none(n.status().architecture()); }),
        wide<Node>("Version", "Version of the program there.",
                   [](const Node& n, WallTime) { return or_none(n.status().version()); }),
    };
}

std::vector<Column> revision_columns() {
    return {
        name_column(),
        column<Revision>("App", "The app it is a snapshot of.", [](const Revision& r, WallTime) { return r.spec().app(); }),
        count<Revision>("Generation", "The app's generation at that time.",
                        [](const Revision& r) { return r.spec().app_generation(); }),
        column<Revision>("Revoked", "Why no cell starts it any more.",
                         [](const Revision& r, WallTime) {
                             return r.spec().has_revoked() ? or_none(r.spec().revoked().reason()) : std::string("no");
                         }),
        count<Revision>("Components", "Number of components.", [](const Revision& r) { return r.spec().components_size(); }),
        age_column(),
        wide<Revision>("Images", "Images by digest.",
                       [](const Revision& r, WallTime) {
                           return listed(r.spec().components(), [](const ClosedComponent& c) { return c.image_digest(); });
                       }),
    };
}

std::vector<Column> allocation_columns() {
    return {
        name_column(),
        column<Allocation>("Site", "The site.", [](const Allocation& a, WallTime) { return a.spec().site(); }),
        column<Allocation>("App", "The app.", [](const Allocation& a, WallTime) { return a.spec().app(); }),
        column<Allocation>("Component", "The component.", [](const Allocation& a, WallTime) { return a.spec().component(); }),
        column<Allocation>("Revision", "The revision wanted.", [](const Allocation& a, WallTime) { return a.spec().revision(); }),
        count<Allocation>("Wanted", "Replicas wanted.", [](const Allocation& a) { return a.spec().replicas(); }),
        count<Allocation>("Ready", "Replicas that work.", [](const Allocation& a) { return a.status().ready_replicas(); }),
        count<Allocation>("Updated", "Replicas of the revision wanted.",
                          [](const Allocation& a) { return a.status().updated_replicas(); }),
        column<Allocation>("Reason", "Why something wanted does not run.",
                           [](const Allocation& a, WallTime) { return summary(a, ""); }),
        age_column(),
    };
}

std::vector<Column> instance_columns() {
    return {
        name_column(),
        column<Instance>("Site", "The site.", [](const Instance& i, WallTime) { return i.spec().site(); }),
        column<Instance>("Node", "The node.", [](const Instance& i, WallTime) { return or_none(i.spec().node()); }),
        column<Instance>("Phase", "What it does, or why it does not run.",
                         [](const Instance& i, WallTime) {
                             const std::string& phase = i.status().phase();
                             if (phase.empty()) return std::string("Pending");
                             return phase == "Running" || phase == "Stopped" || i.status().reason().empty() ? phase
                                                                                                            : i.status().reason();
                         }),
        column<Instance>("Ready", "Whether it works.",
                         [](const Instance& i, WallTime) { return std::string(i.status().ready() ? "true" : "false"); }),
        count<Instance>("Restarts", "Restarts that were not updates.", [](const Instance& i) { return i.status().restarts(); }),
        age_column(),
        wide<Instance>("Revision", "The revision that runs.",
                       [](const Instance& i, WallTime) { return or_none(i.status().revision()); }),
        wide<Instance>("Address", "Its own address.", [](const Instance& i, WallTime) { return or_none(i.status().address()); }),
        wide<Instance>("Ports", "Ports of the node that lead to it.",
                       [](const Instance& i, WallTime) {
                           return listed(i.status().published(), [](std::uint32_t p) { return std::to_string(p); });
                       }),
        wide<Instance>("Message", "What happened last, with the remedy.",
                       [](const Instance& i, WallTime) { return i.status().message(); }),
    };
}

std::vector<Column> image_columns() {
    return {
        name_column(),
        column<Image>("Tags", "Its tags.",
                      [](const Image& i, WallTime) { return listed(i.spec().tags(), [](const Tag& t) { return t.name(); }); }),
        column<Image>("Size", "Bytes of each tag.",
                      [](const Image& i, WallTime) {
                          return listed(i.spec().tags(), [](const Tag& t) { return t.has_size() ? t.size() : "?"; });
                      }),
        age_column(),
        wide<Image>("Digests", "Digest of each tag.",
                    [](const Image& i, WallTime) { return listed(i.spec().tags(), [](const Tag& t) { return t.digest(); }); }),
    };
}

std::vector<Column> event_columns() {
    return {
        column<Event>("Last Seen", "Time since it last happened.",
                      [](const Event& e, WallTime now) { return since(e.spec().last_seen(), now, "<unknown>"); }),
        column<Event>("Type", "Normal or Warning.", [](const Event& e, WallTime) { return e.spec().type(); }),
        column<Event>("Reason", "What happened, in one word.", [](const Event& e, WallTime) { return e.spec().reason(); }),
        column<Event>("Object", "What it happened to.",
                      [](const Event& e, WallTime) {
                          const KindFacts* kind = find_kind(e.spec().regarding().kind());
                          return (kind ? std::string(kind->singular) : e.spec().regarding().kind()) + "/" +
                                 e.spec().regarding().name();
                      }),
        column<Event>("Message", "What happened.", [](const Event& e, WallTime) { return e.spec().message(); }),
        wide<Event>("Source", "Who saw it.", [](const Event& e, WallTime) { return e.spec().source(); }),
        wide<Event>("First Seen", "Time since it first happened.",
                    [](const Event& e, WallTime now) { return since(e.spec().first_seen(), now, "<unknown>"); }),
        wide<Event>("Count", "How often.", [](const Event& e, WallTime) { return std::to_string(e.spec().count()); }),
        wide<Event>("Name", "Name of the event.", [](const Event& e, WallTime) { return e.metadata().name(); }),
    };
}

std::vector<Column> override_columns() {
    return {
        name_column(),
        column<Override>("Site", "Where it holds.", [](const Override& o, WallTime) { return o.spec().site(); }),
        column<Override>("App", "What it changes.", [](const Override& o, WallTime) { return o.spec().target().name(); }),
        column<Override>("Path", "Where in it.", [](const Override& o, WallTime) { return o.spec().path(); }),
        column<Override>("Value", "What holds there.",
                         [](const Override& o, WallTime) { return o.spec().has_value() ? o.spec().value() : "<removed>"; }),
        column<Override>("Status", "Applied, or what is to be decided.",
                         [](const Override& o, WallTime) {
                             bool asks = o.spec().settles().by() == "promote" || o.spec().settles().by() == "drop";
                             return asks ? "Asks to " + o.spec().settles().by() : summary(o, "Applied");
                         }),
        age_column(),
        wide<Override>("Author", "Who made it.", [](const Override& o, WallTime) { return or_none(o.spec().author()); }),
        wide<Override>("Reason", "Why.", [](const Override& o, WallTime) { return or_none(o.spec().reason()); }),
    };
}

std::vector<Column> make(Kind kind) {
    switch (kind) {
    case Kind::app:
        return app_columns();
    case Kind::site:
        return site_columns();
    case Kind::node:
        return node_columns();
    case Kind::revision:
        return revision_columns();
    case Kind::allocation:
        return allocation_columns();
    case Kind::instance:
        return instance_columns();
    case Kind::image:
        return image_columns();
    case Kind::event:
        return event_columns();
    case Kind::override_:
        return override_columns();
    case Kind::project:
        return {name_column(), age_column(), wide<Project>("Description", "What it is for.", [](const Project& p, WallTime) {
                    return or_none(p.spec().description());
                })};
    case Kind::secret:
        return {name_column(), column<Secret>("Type", "Its type.", [](const Secret& s, WallTime) { return or_none(s.type()); }),
                count<Secret>("Keys", "Number of values.", [](const Secret& s) { return s.data().size(); }), age_column()};
    case Kind::config:
        return {name_column(), count<Config>("Keys", "Number of values.", [](const Config& c) { return c.data().size(); }),
                age_column()};
    }
    return {name_column(), age_column()};
}

} // namespace

std::span<const Column> columns(Kind kind) {
    static const std::vector<std::vector<Column>> made = [] {
        std::vector<std::vector<Column>> all;
        for (const KindFacts& each : all_kinds()) all.push_back(make(each.kind));
        return all;
    }();
    return made.at(static_cast<std::size_t>(facts(kind).kind) - 1);
}

} // namespace skerry::model
