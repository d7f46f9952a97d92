#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/client/targets.h"
#include "cli/verbs/verbs.h"
#include "model/app.pb.h"
#include "model/places/path.h"
#include "model/rules/problems.h"
#include "model/rules/rule.h"
#include "model/text/yaml.h"

#include <google/protobuf/descriptor.h>

#include <cstdio>

namespace skerry::cli {

namespace {

constexpr const char* details = "Where a site changed an App that is decided elsewhere, the change is an Override of that site. "
                                "It holds there until somebody "
                                "decides: adopt it (the parent decides it, still for that site only), promote it (the App "
                                "changes, for all sites) or drop it.";

/// Puts a value into an object as JSON, so that fields this build does not know stay.
Result<void> put(Json& whole, const model::Path& path, const Json* value) {
    Json* at = &whole;
    const auto& steps = path.steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        bool last = i + 1 == steps.size();
        std::string name = steps[i].field->json_name();
        Json* inner = at->find(name);
        if (!inner) inner = &at->set(name, steps[i].key && !steps[i].field->is_map() ? Json::array() : Json());
        if (last && !steps[i].key) {
            if (value)
                *inner = *value;
            else
                at->erase(name);
            return {};
        }
        if (!steps[i].key) {
            if (inner->is_null()) *inner = Json::object();
            at = inner;
            continue;
        }
        if (steps[i].field->is_map()) {
            if (value)
                inner->set(*steps[i].key, *value);
            else
                inner->erase(*steps[i].key);
            return {};
        }
        auto* items = inner->array_items();
        if (!items) return fail(Code::corrupt, "the server's " + name + " is no list");
        auto item = std::ranges::find_if(
            *items, [&](const Json& each) { return each.text(model::rule_of(steps[i].field).key()) == *steps[i].key; });
        if (last) {
            if (value && item != items->end())
                *item = *value;
            else if (value)
                items->push_back(*value);
            else if (item != items->end())
                items->erase(item);
            return {};
        }
        if (item == items->end())
            return fail(Code::not_found, path.text() + " leads nowhere in the App any more; adopt or drop the override instead");
        at = &*item;
    }
    return {};
}

struct Deciding {
    Session& session;
    std::string project, name;
    bool dry_run = false;
    std::string format; ///< of the answer: "" (a line), name, json or yaml

    Target target(model::Kind kind, const std::string& of) const { return {&model::facts(kind), project, of}; }
    Target self() const { return target(model::Kind::override_, name); }

    Result<Json> ask(const std::string& method, const std::string& path, const Json* body, bool dry) const {
        http::Request request;
        request.method = method;
        request.path = path;
        if (dry) request.query.add("dryRun", "All");
        if (body) {
            request.headers.set("Content-Type", method == "PATCH" ? "application/merge-patch+json" : "application/json");
            request.body = write_json(*body);
        }
        return session.ask(std::move(request));
    }
    Result<Json> ask(const std::string& method, const std::string& path, const Json* body = nullptr) const {
        return ask(method, path, body, dry_run && method != "GET");
    }

    void tell(const Json& answer, const std::string& what) const {
        if (format == "json" || format == "yaml")
            std::fputs((format == "json" ? write_json(answer, Layout::indented) + "\n" : model::write_yaml(answer)).c_str(),
                       stdout);
        else if (format == "name")
            std::printf("%s\n", self().title().c_str());
        else
            std::printf("%s %s%s\n", self().title().c_str(), what.c_str(), dry_run ? " (dry run)" : "");
    }
};

/// What the parent says about an override of a site: an Override of its own, which the site lets go of the other for.
Json decision(const Json& override_, const std::string& by) {
    static const std::map<std::string, std::string> suffixes{
        {"adopt", ".adopted"}, {"promote", ".promoted"}, {"drop", ".dropped"}};
    const Json& metadata = override_.at({"metadata"});
    Json spec = override_.at({"spec"});
    for (const char* field : {"author", "baseValue"}) spec.erase(field);
    spec.set("settles", Json::object({{"uid", metadata.text("uid")}, {"generation", metadata.at({"generation"})}, {"by", by}}));
    Json made = Json::object({{"apiVersion", "skerry/v1"}, {"kind", "Override"}});
    made.set("metadata", Json::object({{"name", std::string(metadata.text("name")) + suffixes.at(by)},
                                       {"namespace", metadata.text("namespace")}}));
    if (const Json& labels = metadata.at({"labels"}); !labels.is_null()) made.find("metadata")->set("labels", labels);
    made.set("spec", std::move(spec));
    return made;
}

/// Makes the decision, or makes it anew where there was one of the same kind.
Result<Json> decide(const Deciding& deciding, const Json& override_, const std::string& by, bool only_ask) {
    Json made = decision(override_, by);
    Target target = deciding.target(model::Kind::override_, std::string(metadata_text(made, "name")));
    auto there = deciding.ask("GET", target.path(), nullptr, false);
    if (!there && there.error().code != Code::not_found) return there;
    bool dry = deciding.dry_run || only_ask;
    if (!there) return deciding.ask("POST", target.collection(), &made, dry);
    Json change = Json::object({{"spec", made.at({"spec"})}});
    return deciding.ask("PATCH", target.path(), &change, dry);
}

struct Looked {
    Json override_;
    std::optional<Json> app; ///< none: it is gone
    bool of_site = false;    ///< decided at its site, not at the App's home
};

Result<Looked> look(const Deciding& deciding) {
    Looked looked{.override_ = TRY(deciding.ask("GET", deciding.self().path())), .app = {}};
    auto app = deciding.ask(
        "GET", deciding.target(model::Kind::app, std::string(looked.override_.at({"spec", "target"}).text("name"))).path());
    if (!app && app.error().code != Code::not_found) return std::unexpected(app.error());
    if (app) looked.app = std::move(*app);
    looked.of_site = !looked.app || metadata_text(*looked.app, "home") != metadata_text(looked.override_, "home");
    return looked;
}

Result<void> adopt(const Deciding& deciding) {
    Looked looked = TRY(look(deciding));
    if (!looked.app) return fail(Code::not_found, "its App is gone; drop it");
    if (!looked.of_site) return fail(Code::conflict, "it is decided at the App's home already");
    deciding.tell(TRY(decide(deciding, looked.override_, "adopt", false)), "adopted");
    return {};
}

Result<void> promote(const Deciding& deciding) {
    Looked looked = TRY(look(deciding));
    if (!looked.app) return fail(Code::not_found, "its App is gone; drop it");
    // Only the App's home takes decisions: where this is another cell, that is told before anything changes.
    if (looked.of_site) TRY(decide(deciding, looked.override_, "promote", true));
    const Json& spec = looked.override_.at({"spec"});
    model::Path path = TRY(model::Path::parse(model::App::descriptor(), spec.text("path")));
    std::optional<Json> value;
    if (const Json* text = spec.find("value"); text && text->string()) value = TRY(parse_json(*text->string()));
    TRY_VOID(put(*looked.app, path, value ? &*value : nullptr));
    looked.app->erase("status");
    Json app = TRY(deciding.ask("PUT", deciding.target(model::Kind::app, std::string(metadata_text(*looked.app, "name"))).path(),
                                &*looked.app));
    if (looked.of_site)
        TRY(decide(deciding, looked.override_, "promote", false));
    else
        TRY(deciding.ask("DELETE", deciding.self().path()));
    deciding.tell(app, "promoted: app/" + std::string(metadata_text(app, "name")) + " says it for all sites");
    return {};
}

Result<void> drop(const Deciding& deciding) {
    Looked looked = TRY(look(deciding));
    auto gone = deciding.ask("DELETE", deciding.self().path());
    if (gone) {
        deciding.tell(looked.override_, "dropped");
        return {};
    }
    // Decided at its site, and this is the App's home: the site is asked to let go of it.
    if (gone.error().code != Code::forbidden || !looked.of_site || !looked.app) return std::unexpected(gone.error());
    deciding.tell(TRY(decide(deciding, looked.override_, "drop", false)), "dropped once its site hears of it");
    return {};
}

Command deciding_command(std::string name, std::string summary, std::string more, std::vector<std::string> examples,
                         Result<void> (*act)(const Deciding&)) {
    std::vector<Option> options{
        {.names = "--dry-run", .value = "", .help = "let the server check, and change nothing", .choices = {"server"}},
        {.names = "-o,--output",
         .value = "FORMAT",
         .help = "name, json or yaml: the answer instead of a line",
         .choices = {"name", "json", "yaml"}}};
    return {.name = "override " + name,
            .summary = std::move(summary),
            .details = std::string(details) + "\n" + more,
            .examples = std::move(examples),
            .arguments = {{.name = "NAME",
                           .help = "of overrides (skerry override list)",
                           .repeatable = true,
                           .suggest = suggest_names(model::Kind::override_)}},
            .options = with_connection(std::move(options)),
            .run =
                [act](const Invocation& call) {
                    return with_session(call, [&](Session& session) -> Result<int> {
                        int status = 0;
                        for (const std::string& word : call.arguments) {
                            std::string own = word.starts_with("override/") ? word.substr(9) : word;
                            Deciding deciding{.session = session,
                                              .project = session.project(),
                                              .name = own,
                                              .dry_run = call.has("dry-run"),
                                              .format = call.get("output")};
                            if (auto done = act(deciding); !done)
                                status = report({done.error().code, deciding.self().title() + ": " + done.error().message});
                        }
                        return status;
                    });
                },
            .group = apps_group};
}

} // namespace

Command override_list_command() {
    Command get = get_command();
    std::erase_if(get.options, [](const Option& option) { return option.names == "--chunk-size"; });
    return {
        .name = "override list",
        .summary = "Show what sites decide otherwise than Apps say",
        .details = details,
        .examples = {"skerry override list", "skerry override list -A -o wide", "skerry override list -l skerry/site=store-17"},
        .arguments = {},
        .options = std::move(get.options),
        .run =
            [run = get.run](Invocation call) {
                call.arguments = {"overrides"};
                return run(call);
            },
        .group = apps_group};
}

Command override_adopt_command() {
    return deciding_command("adopt", "Decide at the parent what a site decided, for that site only",
                            "At the App's home. The site lets go of its own once it hears of it.",
                            {"skerry override adopt till.store-17.3fa9c2d1b0"}, adopt);
}

Command override_promote_command() {
    return deciding_command(
        "promote", "Change the App as a site did, for all sites",
        "At the App's home. The site lets go of its override once it hears of it.",
        {"skerry override promote till.store-17.3fa9c2d1b0", "skerry override promote till.store-17.3fa9c2d1b0 --dry-run"},
        promote);
}

Command override_drop_command() {
    return deciding_command("drop", "Let what the App says hold at the site again",
                            "At the site, or at the App's home, which asks the site to let go of it.",
                            {"skerry override drop till.store-17.3fa9c2d1b0"}, drop);
}

} // namespace skerry::cli
