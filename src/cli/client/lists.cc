#include "cli/client/lists.h"

namespace skerry::cli {

std::vector<Option> choice_options() {
    return {{.names = "-A,--all-namespaces,--all-projects", .value = "", .help = "of all projects"},
            {.names = "-l,--selector", .value = "SELECTOR", .help = "by labels: a=b,c!=d,e in (x,y),f,!g"},
            {.names = "--field-selector", .value = "SELECTOR", .help = "by fields: metadata.name=a,spec.site!=b"}};
}

Choice choice_of(const Invocation& call, std::string_view project) {
    return {call.has("all-projects") ? std::string() : std::string(project), call.get("selector"), call.get("field-selector")};
}

http::Request list_request(const model::KindFacts& kind, const Choice& choice) {
    http::Request request;
    request.path = collection_path(kind, choice.project);
    if (!choice.label_selector.empty()) request.query.add("labelSelector", choice.label_selector);
    if (!choice.field_selector.empty()) request.query.add("fieldSelector", choice.field_selector);
    return request;
}

Result<Json> list_all(Session& session, const model::KindFacts& kind, const Choice& choice, std::int64_t chunk, bool as_table) {
    const char* member = as_table ? "rows" : "items";
    Json whole;
    for (std::string next;;) {
        http::Request request = list_request(kind, choice);
        if (chunk > 0) request.query.add("limit", std::to_string(chunk));
        if (!next.empty()) request.query.add("continue", next);
        if (as_table) request.headers.set("Accept", accept_table);
        Json page = TRY(session.ask(std::move(request)));
        Json* found = page.find(member);
        if (!found || !found->array_items())
            return fail(Code::corrupt,
                        session.connection().server + " answered without " + member + " for " + std::string(kind.plural));
        std::string after(page.at({"metadata"}).text("continue"));
        if (whole.is_null()) {
            whole = std::move(page);
            if (Json* metadata = whole.find("metadata")) metadata->erase("continue"), metadata->erase("remainingItemCount");
        } else {
            for (Json& item : *found->array_items()) whole.find(member)->push(std::move(item));
        }
        if (after.empty()) return whole;
        if (after == next)
            return fail(Code::corrupt,
                        session.connection().server + " does not get on with its list of " + std::string(kind.plural));
        next = std::move(after);
    }
}

const Json::Array& items_of(const Json& list) {
    static const Json::Array none;
    const Json* items = list.find("items");
    return items && items->array_items() ? *items->array_items() : none;
}

std::string_view metadata_text(const Json& object, std::string_view field) { return object.at({"metadata"}).text(field); }

std::string qualified_name(const Json& object) {
    auto project = metadata_text(object, "namespace");
    return (project.empty() ? "" : std::string(project) + "/") + std::string(metadata_text(object, "name"));
}

} // namespace skerry::cli
