#include "base/time.h"
#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/line/terminal.h"
#include "cli/three_way.h"
#include "cli/verbs/verbs.h"
#include "model/text/summary.h"
#include "model/text/yaml.h"

#include <algorithm>
#include <cstdio>

namespace skerry::cli {

namespace {

std::string since(std::string_view time, WallTime now) {
    auto then = parse_rfc3339(time);
    return then ? age(std::chrono::seconds(std::max<std::int64_t>(0, now.seconds - then->seconds))) : "-";
}

std::string indented(const std::string& text, std::size_t by) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = std::min(text.find('\n', at), text.size());
        out += std::string(by, ' ') + printable(std::string_view(text).substr(at, end - at)) + "\n";
        at = end + 1;
    }
    return out;
}

/// "Name:       till", one line; maps one entry a line.
class Facts {
public:
    void add(std::string_view name, std::string_view value) { line(name, value.empty() ? "<none>" : printable(value)); }
    void add_map(std::string_view name, const Json& map) {
        bool any = false;
        if (map.members())
            for (auto& [key, value] : *map.members()) {
                if (key == last_applied_annotation) continue;
                line(any ? "" : name, printable(key + "=" + (value.string() ? *value.string() : write_json(value))));
                any = true;
            }
        if (!any) line(name, "<none>");
    }
    const std::string& text() const { return out_; }

private:
    void line(std::string_view name, std::string_view value) {
        std::string head = name.empty() ? "" : std::string(name) + ":";
        head.resize(std::max<std::size_t>(head.size() + 1, 14), ' ');
        out_ += head + std::string(value) + "\n";
    }
    std::string out_;
};

/// What a condition that does not hold tells a person; the message ends with what would help.
std::string why(const Json& condition) {
    std::string message = printable(condition.text("message"));
    std::string out = painted(Paint::yellow, printable(condition.text("reason")));
    if (message.empty()) return out;
    return out + ": " + message;
}

std::string describe_conditions(const Json& conditions, WallTime now) {
    TextTable table;
    table.heading({"  TYPE", "STATUS", "SINCE", "REASON"});
    std::string reasons;
    for (const Json& condition : *conditions.array_items()) {
        table.row({"  " + printable(condition.text("type")), printable(condition.text("status")),
                   since(condition.text("lastTransitionTime"), now), printable(condition.text("reason"))});
        bool is_news = condition.text("status") != "True" || model::is_fault(condition.text("type")) ||
                       condition.text("type") == "Overridden";
        if (is_news && !condition.text("message").empty()) {
            // Several conditions often fail for one reason.
            std::string line = "  " + why(condition) + "\n";
            if (reasons.find(line) == std::string::npos) reasons += line;
        }
    }
    std::string out = "Conditions:\n" + table.take(true);
    return reasons.empty() ? out : out + painted(Paint::bold, "Why, and what helps:") + "\n" + reasons;
}

std::string describe_events(const Json::Array& events, WallTime now) {
    if (events.empty()) return "Events:       <none>\n";
    std::vector<const Json*> sorted;
    for (const Json& event : events) sorted.push_back(&event);
    std::ranges::sort(sorted, {}, [](const Json* event) {
        return std::pair(event->at({"spec"}).text("lastSeen"), metadata_text(*event, "name"));
    });
    TextTable table;
    table.heading({"  LAST SEEN", "TYPE", "REASON", "FROM", "MESSAGE"});
    for (const Json* event : sorted) {
        const Json& spec = event->at({"spec"});
        std::string message = printable(spec.text("message"));
        if (auto* count = spec.find("count"); count && count->integer() && *count->integer() > 1)
            message += " (" + std::to_string(*count->integer()) + " times)";
        table.row({"  " + since(spec.text("lastSeen"), now), printable(spec.text("type")), printable(spec.text("reason")),
                   printable(spec.text("source")), message});
    }
    return "Events:\n" + table.take(true);
}

/// Where the object is decided, by the site's name where it is a site.
std::string home_of(Session& session, const Json& object) {
    std::string home(metadata_text(object, "home"));
    if (home.empty()) return home;
    auto sites = list_all(session, model::facts(model::Kind::site),
                          {.project = {}, .label_selector = {}, .field_selector = "status.cell=" + home});
    if (!sites || items_of(*sites).empty()) return home;
    return "site " + std::string(metadata_text(items_of(*sites).front(), "name")) + " (" + home + ")";
}

std::string describe_object(const Target& target, Json object, const std::string& home, const Json::Array& events, WallTime now) {
    Facts facts;
    const Json metadata = object.at({"metadata"});
    facts.add("Name", metadata.text("name"));
    facts.add("Kind", target.kind->name);
    if (!target.kind->fleet_wide) facts.add("Project", metadata.text("namespace"));
    facts.add_map("Labels", metadata.at({"labels"}));
    facts.add_map("Annotations", metadata.at({"annotations"}));
    if (!home.empty()) facts.add("Home", home);
    facts.add("Created",
              std::string(metadata.text("creationTimestamp")) + " (" + since(metadata.text("creationTimestamp"), now) + " ago)");
    std::string out = facts.text();
    for (const char* name : {"apiVersion", "kind", "metadata"}) object.erase(name);
    std::string conditions;
    if (Json* status = object.find("status"); status && status->members()) {
        if (const Json* found = status->find("conditions"); found && found->array_items() && !found->array_items()->empty())
            conditions = describe_conditions(*found, now);
        status->erase("conditions");
        status->erase("observedGeneration");
        // An instance says why in its status itself.
        if (conditions.empty() && !status->text("message").empty() && status->text("phase") != "Running")
            conditions = painted(Paint::bold, "Why, and what helps:") + "\n  " +
                         painted(Paint::yellow, printable(status->text("reason"))) + ": " + printable(status->text("message")) +
                         "\n";
        if (status->members()->empty()) object.erase("status");
    }
    for (auto& [name, value] : *object.members()) {
        std::string title = name;
        title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
        // Values of Secrets are not for screens.
        if (target.kind->kind == model::Kind::secret && value.members()) {
            out += title + ":\n";
            for (auto& [key, bytes] : *value.members())
                out += "  " + printable(key) + ": " + std::to_string(bytes.string() ? bytes.string()->size() * 3 / 4 : 0) +
                       " bytes\n";
            continue;
        }
        bool nested = (value.members() && !value.members()->empty()) || (value.array_items() && !value.array_items()->empty());
        out += nested ? title + ":\n" + indented(model::write_yaml(value), 2)
                      : title + ": " + printable(value.string() ? *value.string() : write_json(value)) + "\n";
    }
    return out + conditions + describe_events(events, now);
}

Result<int> describe_all(Session& session, const Invocation& call) {
    Targets targets = TRY(parse_targets(call.arguments, session.project()));
    std::vector<Target> objects = targets.named;
    for (auto* kind : targets.kinds) {
        Json list = TRY(list_all(session, *kind, choice_of(call, session.project())));
        for (const Json& object : items_of(list))
            objects.push_back(
                {kind, std::string(metadata_text(object, "namespace")), std::string(metadata_text(object, "name"))});
    }
    if (objects.empty()) std::fprintf(stderr, "No resources found.\n");
    int status = 0;
    bool first = true;
    for (const Target& target : objects) {
        http::Request request;
        request.path = target.path();
        auto object = session.ask(std::move(request));
        if (!object) {
            if (object.error().code != Code::not_found) return std::unexpected(object.error());
            status = report(object.error());
            continue;
        }
        auto events = list_all(session, model::facts(model::Kind::event),
                               {.project = {},
                                .label_selector = {},
                                .field_selector = "spec.regarding.uid=" + std::string(metadata_text(*object, "uid"))});
        if (!std::exchange(first, false)) std::puts("\n");
        std::string home = home_of(session, *object);
        std::fputs(
            describe_object(target, std::move(*object), home, events ? items_of(*events) : Json::Array(), session.clock().wall())
                .c_str(),
            stdout);
    }
    return status;
}

} // namespace

Command describe_command() {
    return {
        .name = "describe",
        .summary = "Tell all about objects: fields, conditions with their remedies, events",
        .details = {},
        .examples = {"skerry describe app till", "skerry describe site/store-17", "skerry describe instances -n retail"},
        .arguments = {{.name = "KIND", .help = "or KIND/NAME", .suggest = suggest_kinds_and_names},
                      {.name = "NAME", .help = {}, .required = false, .repeatable = true, .suggest = suggest_kinds_and_names}},
        .options = with_connection(choice_options()),
        .run =
            [](const Invocation& call) {
                if (auto targets = parse_targets(call.arguments, "default"); !targets)
                    return misused("describe", targets.error().message);
                return with_session(call, [&](Session& session) { return describe_all(session, call); });
            },
        .group = objects_group};
}

} // namespace skerry::cli
