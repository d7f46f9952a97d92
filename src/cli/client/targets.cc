#include "cli/client/targets.h"

#include "cli/client/client.h"
#include "http/message.h"
#include "model/category.h"
#include "model/rules/problems.h"
#include "model/text/mapping.h"

#include <algorithm>

namespace skerry::cli {

namespace {

using model::Kind;

Result<void> check_name(const model::KindFacts& kind, const std::string& name) {
    if (name.empty()) return fail(Code::invalid, std::string(kind.singular) + "/: the name is missing");
    if (name.find('/') != std::string::npos || name == "." || name == "..")
        return fail(Code::invalid, model::quoted(name) + " is no name of " + std::string(kind.plural));
    return {};
}

std::vector<std::string> names_of(const Invocation& call, const model::KindFacts& kind) {
    std::vector<std::string> names;
    auto connection = find_connection(call);
    if (!connection) return names;
    auto session = Session::open(std::move(*connection), {.request_timeout = 2s});
    if (!session) return names;
    http::Request request;
    request.path = collection_path(kind, call.has("all-projects") ? "" : (*session)->project());
    request.query.add("limit", "500");
    auto list = (*session)->ask(std::move(request));
    if (!list) return names;
    if (auto* items = list->find("items"); items && items->array_items())
        for (const Json& item : *items->array_items()) names.emplace_back(item.at({"metadata"}).text("name"));
    return names;
}

} // namespace

std::string collection_path(const model::KindFacts& kind, std::string_view project) {
    std::string path = "/apis/" + std::string(model::api_version) + "/";
    if (!kind.fleet_wide && !project.empty()) path += "namespaces/" + std::string(project) + "/";
    return path + std::string(kind.plural);
}

std::string Target::collection() const { return collection_path(*kind, project); }
std::string Target::path() const { return collection() + "/" + name; }

Result<const model::KindFacts*> find_kind(std::string_view word) {
    if (word.ends_with(".skerry")) word.remove_suffix(7);
    if (word == "ns" || word == "namespace" || word == "namespaces") return &model::facts(Kind::project);
    if (word == "po" || word == "pod" || word == "pods") return &model::facts(Kind::instance);
    if (auto* kind = model::find_kind(word)) return kind;
    std::vector<std::string_view> known;
    std::string list;
    for (auto& kind : model::all_kinds()) {
        known.push_back(kind.singular);
        known.push_back(kind.plural);
        list += (list.empty() ? "" : ", ") + std::string(kind.plural);
    }
    auto best = model::closest(word, known);
    return fail(Code::invalid, "there is no kind " + model::quoted(word) +
                                   (best.empty() ? "; there are " + list : "; did you mean " + std::string(best) + "?"));
}

Result<Targets> parse_targets(std::span<const std::string> words, std::string_view project) {
    Targets targets;
    auto add = [&](const model::KindFacts* kind, std::string name) -> Result<void> {
        TRY_VOID(check_name(*kind, name));
        targets.named.push_back({kind, kind->fleet_wide ? std::string() : std::string(project), std::move(name)});
        return {};
    };
    if (words.empty()) return fail(Code::invalid, "KIND is missing (try apps, sites, instances, or app/NAME)");
    if (words[0].find('/') != std::string::npos) {
        for (const std::string& word : words) {
            std::size_t slash = word.find('/');
            if (slash == std::string::npos)
                return fail(Code::invalid, model::quoted(word) + ": wanted KIND/NAME, as the words before it");
            TRY_VOID(add(TRY(find_kind(word.substr(0, slash))), word.substr(slash + 1)));
        }
        return targets;
    }
    std::string_view rest = words[0];
    while (!rest.empty()) {
        std::size_t comma = std::min(rest.find(','), rest.size());
        if (auto word = rest.substr(0, comma); word == "all")
            for (Kind kind : model::category_all) targets.kinds.push_back(&model::facts(kind));
        else if (!word.empty())
            targets.kinds.push_back(TRY(find_kind(word)));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if (targets.kinds.empty()) return fail(Code::invalid, "KIND is missing (try apps, sites or instances)");
    if (words.size() == 1) return targets;
    for (const model::KindFacts* kind : targets.kinds)
        for (const std::string& name : words.subspan(1)) {
            if (name.find('/') != std::string::npos)
                return fail(Code::invalid,
                            model::quoted(name) + ": wanted a name; KIND NAME and KIND/NAME do not mix in one call");
            TRY_VOID(add(kind, name));
        }
    targets.kinds.clear();
    return targets;
}

Result<Target> target_of(const Json& manifest, std::string_view project) {
    if (!manifest.members()) return fail(Code::invalid, "a manifest is an object, not " + std::string(manifest.shape()));
    auto version = manifest.text("apiVersion");
    auto word = manifest.text("kind");
    if (version != model::api_version)
        return fail(Code::invalid,
                    "apiVersion: " + model::quoted(version) + " is not known (try " + std::string(model::api_version) + ")");
    const model::KindFacts* kind = nullptr;
    std::vector<std::string_view> known;
    for (auto& each : model::all_kinds()) {
        known.push_back(each.name);
        if (each.name == word) kind = &each;
    }
    if (!kind) {
        auto best = model::closest(word, known);
        return fail(Code::invalid,
                    "kind: " + model::quoted(word) + " is not known" + (best.empty() ? "" : " (try " + std::string(best) + ")"));
    }
    const Json* metadata = manifest.find("metadata");
    Target target{kind, {}, std::string(metadata ? metadata->text("name") : "")};
    if (target.name.empty()) return fail(Code::invalid, std::string(kind->name) + ": metadata.name: is missing");
    TRY_VOID(check_name(*kind, target.name) | during("metadata.name"));
    if (!kind->fleet_wide) target.project = metadata->text("namespace").empty() ? project : metadata->text("namespace");
    if (target.project.find('/') != std::string::npos)
        return fail(Code::invalid, "metadata.namespace: " + model::quoted(target.project) + " is no project's name");
    return target;
}

std::vector<std::string> suggest_kinds_and_names(const Invocation& so_far) {
    std::vector<std::string> words;
    if (so_far.arguments.empty()) {
        for (auto& kind : model::all_kinds()) words.emplace_back(kind.plural);
        return words;
    }
    if (auto kind = find_kind(so_far.arguments[0])) return names_of(so_far, **kind);
    return words;
}

Suggest suggest_names(Kind kind) {
    return [kind](const Invocation& so_far) { return names_of(so_far, model::facts(kind)); };
}

} // namespace skerry::cli
