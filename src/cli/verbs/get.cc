#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/client/targets.h"
#include "cli/client/watching.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"
#include "model/text/yaml.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <set>

namespace skerry::cli {

namespace {

/// The rows of Tables, as text.
class Printer {
public:
    struct Options {
        bool wide = false;
        bool projects = false; ///< a first column with the project
        bool headings = true;
        std::string prefix; ///< of names: "app/"
        bool labels = false;
    };
    explicit Printer(Options options) : options_(options) {}

    /// Takes rows in; columns come with the first Table that has them.
    Result<void> add(const Json& table) {
        if (auto* columns = table.find("columnDefinitions");
            columns && columns->array_items() && !columns->array_items()->empty())
            TRY_VOID(take_columns(*columns->array_items()));
        const Json* rows = table.find("rows");
        if (!rows || !rows->array_items()) return fail(Code::corrupt, "the server's table has no rows");
        for (const Json& row : *rows->array_items()) TRY_VOID(add_row(row));
        return {};
    }
    /// What came in since the last call.
    std::string take() {
        bool first = std::exchange(first_, false);
        return text_.take(first && options_.headings);
    }
    bool empty() const { return text_.empty(); }

private:
    Result<void> take_columns(const Json::Array& columns) {
        if (!shown_.empty()) return {};
        std::vector<std::string> heading;
        if (options_.projects) heading.push_back("PROJECT");
        for (std::size_t i = 0; i < columns.size(); ++i) {
            auto* priority = columns[i].find("priority");
            if (!options_.wide && priority && priority->integer() && *priority->integer() > 0) continue;
            shown_.push_back(i);
            std::string name(columns[i].text("name"));
            if (name == "Name" && name_column_ == std::string::npos) name_column_ = i;
            std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
            heading.push_back(std::move(name));
        }
        if (options_.labels) heading.push_back("LABELS");
        text_.heading(std::move(heading));
        return {};
    }

    Result<void> add_row(const Json& row) {
        const Json* cells = row.find("cells");
        if (!cells || !cells->array_items()) return fail(Code::corrupt, "the server's table has a row without cells");
        const Json& metadata = row.at({"object", "metadata"});
        std::vector<std::string> line;
        if (options_.projects) line.emplace_back(printable(metadata.text("namespace")));
        for (std::size_t column : shown_) {
            const Json cell = column < cells->array_items()->size() ? (*cells->array_items())[column] : Json();
            std::string text = cell.string() ? *cell.string() : cell.is_null() ? "" : write_json(cell);
            if (column == name_column_) text = options_.prefix + text;
            line.push_back(text.empty() ? "-" : printable(text));
        }
        if (options_.labels) line.push_back(labels_of(metadata));
        text_.row(std::move(line));
        return {};
    }

    static std::string labels_of(const Json& metadata) {
        std::string out;
        if (auto* labels = metadata.find("labels"); labels && labels->members())
            for (auto& [name, value] : *labels->members())
                out += (out.empty() ? "" : ",") + name + "=" + (value.string() ? *value.string() : "");
        return out.empty() ? "<none>" : printable(out);
    }

    Options options_;
    TextTable text_;
    std::vector<std::size_t> shown_;
    std::size_t name_column_ = std::string::npos;
    bool first_ = true;
};

struct Wish {
    Targets targets;
    Choice choice;
    std::string format; ///< table, wide, json, yaml, name
    std::int64_t chunk = 500;
    bool headings = true;
    bool labels = false;
    bool all_projects = false;
    bool ignore_missing = false;

    bool as_table() const { return format == "table" || format == "wide"; }
    Printer printer(const model::KindFacts& kind, bool prefixed) const {
        return Printer({.wide = format == "wide",
                        .projects = all_projects && !kind.fleet_wide,
                        .headings = headings,
                        .prefix = prefixed ? std::string(kind.singular) + "/" : "",
                        .labels = labels});
    }
};

void print_whole(const Json& object, const std::string& format) {
    std::string text = format == "json" ? write_json(object, Layout::indented) + "\n" : model::write_yaml(object);
    std::fputs(text.c_str(), stdout);
}

/// An object alone as it is; several as a List.
void print_objects(Json::Array objects, const Wish& wish, bool alone) {
    if (alone && objects.size() == 1) return print_whole(objects[0], wish.format);
    print_whole(Json::object({{"apiVersion", "v1"},
                              {"kind", "List"},
                              {"metadata", Json::object({{"resourceVersion", ""}})},
                              {"items", Json::array(std::move(objects))}}),
                wish.format);
}

void print_name(const model::KindFacts& kind, const Json& object) {
    std::printf("%s/%s\n", std::string(kind.singular).c_str(), std::string(metadata_text(object, "name")).c_str());
}

/// Named objects; those that are missing are reported, the others shown.
Result<int> get_named(Session& session, const Wish& wish) {
    int status = 0;
    Json::Array objects;
    std::set<const model::KindFacts*> kinds;
    for (auto& target : wish.targets.named) kinds.insert(target.kind);
    std::map<const model::KindFacts*, Printer> printers;
    std::vector<const model::KindFacts*> order;
    for (auto& target : wish.targets.named) {
        http::Request request;
        request.path = target.path();
        if (wish.as_table()) request.headers.set("Accept", accept_table);
        auto answer = session.ask(std::move(request));
        if (!answer && answer.error().code == Code::not_found && wish.ignore_missing) continue;
        if (!answer) {
            if (answer.error().code != Code::not_found) return std::unexpected(answer.error());
            status = report(answer.error());
        } else if (wish.as_table()) {
            auto [found, is_new] = printers.try_emplace(target.kind, wish.printer(*target.kind, kinds.size() > 1));
            if (is_new) order.push_back(target.kind);
            TRY_VOID(found->second.add(*answer));
        } else if (wish.format == "name") {
            print_name(*target.kind, *answer);
        } else {
            objects.push_back(std::move(*answer));
        }
    }
    for (auto* kind : order) {
        if (kind != order.front()) std::putchar('\n');
        std::fputs(printers.at(kind).take().c_str(), stdout);
    }
    if (!objects.empty()) print_objects(std::move(objects), wish, wish.targets.named.size() == 1);
    return status;
}

void say_nothing_found(const Wish& wish) {
    bool fleet_wide = std::ranges::all_of(wish.targets.kinds, &model::KindFacts::fleet_wide);
    std::string where = wish.choice.project.empty() || fleet_wide ? "" : " in " + wish.choice.project + " project";
    std::fprintf(stderr, "No resources found%s.\n", where.c_str());
}

Result<int> get_kinds(Session& session, const Wish& wish) {
    Json::Array objects;
    bool any = false;
    for (auto* kind : wish.targets.kinds) {
        Json list = TRY(list_all(session, *kind, wish.choice, wish.chunk, wish.as_table()));
        if (wish.as_table()) {
            Printer printer = wish.printer(*kind, wish.targets.kinds.size() > 1);
            TRY_VOID(printer.add(list));
            if (printer.empty()) continue;
            if (any) std::putchar('\n');
            any = true;
            std::fputs(printer.take().c_str(), stdout);
        } else if (wish.format == "name") {
            for (auto& object : items_of(list)) print_name(*kind, object), any = true;
        } else {
            for (auto& object : items_of(list)) objects.push_back(object);
        }
    }
    if (wish.format == "json" || wish.format == "yaml")
        print_objects(std::move(objects), wish, false);
    else if (!any)
        say_nothing_found(wish);
    return 0;
}

Result<int> get_watched(Session& session, Wish wish) {
    if (wish.targets.named.size() == 1) {
        const Target& one = wish.targets.named[0];
        wish.targets.kinds = {one.kind};
        wish.choice.field_selector += (wish.choice.field_selector.empty() ? "" : ",") + ("metadata.name=" + one.name);
    } else if (!wish.targets.named.empty() || wish.targets.kinds.size() != 1) {
        return fail(Code::invalid, "--watch: takes one kind, or one object");
    }
    const model::KindFacts& kind = *wish.targets.kinds[0];
    Printer printer = wish.printer(kind, false);
    auto show = [&](const Json& object) -> Result<Next> {
        if (wish.as_table()) {
            TRY_VOID(printer.add(object));
            if (!printer.empty()) std::fputs(printer.take().c_str(), stdout);
        } else if (wish.format == "name") {
            print_name(kind, object);
        } else {
            if (wish.format == "yaml") std::puts("---");
            print_whole(object, wish.format);
        }
        flush_output();
        return Next::go_on;
    };
    Watching watching{.kind = kind, .choice = wish.choice, .as_table = wish.as_table()};
    watching.listed = [&](const Json& list) -> Result<Next> {
        if (wish.as_table()) return show(list);
        for (auto& object : items_of(list))
            if (TRY(show(object)) == Next::stop) return Next::stop;
        return Next::go_on;
    };
    watching.changed = [&](const WatchEvent& event) { return show(event.object); };
    TRY_VOID(watch(session, std::move(watching)));
    return 0;
}

Result<Wish> parse_wish(const Invocation& call, const std::string& project) {
    Wish wish;
    wish.targets = TRY(parse_targets(call.arguments, project));
    wish.choice = choice_of(call, project);
    wish.format = call.has("output") ? call.get("output") : "table";
    wish.headings = !call.has("no-headers");
    wish.labels = call.has("show-labels");
    wish.all_projects = call.has("all-projects");
    wish.ignore_missing = call.has("ignore-not-found");
    if (call.has("chunk-size")) {
        std::string text = call.get("chunk-size");
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wish.chunk);
        if (error != std::errc() || end != text.data() + text.size() || wish.chunk < 0)
            return fail(Code::invalid, "--chunk-size: \"" + text + "\" is not a count (try 500)");
    }
    if (!wish.targets.named.empty()) {
        if (wish.all_projects && std::ranges::any_of(wish.targets.named, [](auto& target) { return !target.kind->fleet_wide; }))
            return fail(Code::invalid, "--all-projects: does not go with names; say which project (-n), or leave out the names");
        if (!wish.choice.label_selector.empty()) return fail(Code::invalid, "--selector: does not go with names");
    }
    return wish;
}

} // namespace

Command get_command() {
    std::vector<Option> options{
        {.names = "-o,--output",
         .value = "FORMAT",
         .help = "table, wide, json, yaml or name",
         .choices = {"table", "wide", "json", "yaml", "name"}},
        {.names = "-w,--watch", .value = "", .help = "go on printing what changes"},
        {.names = "--show-labels", .value = "", .help = "a last column with the labels"},
        {.names = "--no-headers", .value = "", .help = "no line of headings"},
        {.names = "--ignore-not-found", .value = "", .help = "a missing object is no failure"},
        {.names = "--chunk-size", .value = "N", .help = "objects per request of a long list; 0: all at once (default 500)"},
    };
    for (Option& option : choice_options()) options.push_back(std::move(option));
    return {.name = "get",
            .summary = "Show objects",
            .details = "Where something that is wanted does not run, its status is the reason; `skerry describe` tells more.",
            .examples = {"skerry get apps", "skerry get sites,nodes -o wide", "skerry get app till -o yaml",
                         "skerry get instances -A -w", "skerry get all -n retail"},
            .arguments = {{.name = "KIND",
                           .help = "app, site, node, instance … ; several with commas; KIND/NAME; all",
                           .suggest = suggest_kinds_and_names},
                          {.name = "NAME",
                           .help = "of objects; all where none is given",
                           .required = false,
                           .repeatable = true,
                           .suggest = suggest_kinds_and_names}},
            .options = with_connection(std::move(options)),
            .run =
                [](const Invocation& call) {
                    // What cannot be meant is told before any server is asked.
                    if (auto targets = parse_targets(call.arguments, "default"); !targets)
                        return misused("get", targets.error().message);
                    return with_session(call, [&](Session& session) -> Result<int> {
                        auto wish = parse_wish(call, session.project());
                        if (!wish) return misused("get", wish.error().message);
                        if (call.has("watch")) return get_watched(session, std::move(*wish));
                        return wish->targets.named.empty() ? get_kinds(session, *wish) : get_named(session, *wish);
                    });
                },
            .group = objects_group};
}

} // namespace skerry::cli
