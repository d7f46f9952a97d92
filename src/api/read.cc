#include "api/read.h"

#include "api/filter.h"
#include "api/status.h"
#include "api/table.h"
#include "base/bytes.h"
#include "base/number.h"
#include "cell/gate/overrides.h"
#include "cell/links/site_link.h"

namespace skerry::api {

namespace {

/// Where a continued list goes on: behind this (project, name). Its pages are not of one moment, so all of them carry the number
/// of the first: a watch from there tells what changed meanwhile.
struct Place {
    std::string project, name;
    store::Number number = 0;
};

std::string write_place(const store::Object& last, store::Number number) {
    return base64(
        write_json(Json::object({{"project", last.key.project}, {"name", last.key.name}, {"number", std::to_string(number)}})));
}

Result<Place> parse_place(std::string_view token) {
    auto json = unbase64(token);
    Result<Json> place = json ? parse_json(*json, {.bytes = 2048, .depth = 2, .values = 8}) : std::unexpected(json.error());
    store::Number number = 0;
    if (place) number = parse_number<store::Number>(place->text("number")).value_or(0);
    if (!place || !place->find("name") || number == 0)
        return fail(Code::gone, "continue: this token is not one of ours; start the list anew without it");
    return Place{std::string(place->text("project")), std::string(place->text("name")), number};
}

Result<std::size_t> parse_limit(std::string_view text) {
    if (text.empty()) return 0;
    auto limit = parse_number<std::size_t>(text);
    if (!limit) return fail(Code::invalid, "limit: \"" + std::string(text.substr(0, 40)) + "\" is not a count (try 500)");
    return *limit;
}

struct Page {
    std::vector<store::ObjectPtr> objects;
    std::string next;
    std::int64_t remaining = 0;
    store::Number number = 0; ///< of the list's first page
};

/// As its API shows it.
store::ObjectPtr shown(cell::Cell& cell, const std::string& site, store::ObjectPtr object) {
    return cell::with_link(cell, cell::as_shown(cell.store(), site, std::move(object)));
}

Result<Page> read_page(cell::Cell& cell, const std::string& site, const Resource& resource, const http::Query& query) {
    const store::Store& store = cell.store();
    Filter filter = TRY(Filter::parse(resource, query));
    std::size_t limit = TRY(parse_limit(query.get("limit")));
    std::optional<Place> behind;
    if (auto token = query.get("continue"); !token.empty()) behind = TRY(parse_place(token));
    if (behind && !store.knows(behind->number))
        return fail(Code::gone, "continue: this list began too long ago, or in another life of this store; start it anew");
    Page page{.objects = {}, .next = {}, .number = behind ? behind->number : store.cursor().number};
    std::optional<std::string_view> project;
    if (!resource.project.empty()) project = resource.project;
    for (store::ObjectPtr& object : store.list(resource.kind, project)) {
        if (behind && std::tie(object->key.project, object->key.name) <= std::tie(behind->project, behind->name)) continue;
        object = shown(cell, site, std::move(object));
        if (!filter.matches(*object)) continue;
        if (limit && page.objects.size() == limit)
            ++page.remaining;
        else
            page.objects.push_back(std::move(object));
    }
    if (page.remaining) page.next = write_place(*page.objects.back(), page.number);
    if (filter.selects_by_content()) page.remaining = 0;
    return page;
}

} // namespace

http::Response get(cell::Cell& cell, const std::string& site, const Resource& resource, const http::Request& request,
                   WallTime now) {
    store::ObjectPtr object = shown(cell, site, cell.store().get(resource.key()));
    if (!object) {
        ViewFacts view = facts(resource.view, resource.kind);
        return refusal({Code::not_found, std::string(view.plural) + (view.view == View::own ? ".skerry" : "") + " \"" +
                                             resource.name + "\" not found"},
                       &resource);
    }
    if (!wants_table(request.headers.get("Accept"))) return json_response(200, write(resource.view, *object));
    Json table = empty_table(resource.view, resource.kind, std::to_string(object->number()));
    table.find("rows")->push(table_row(resource.view, *object, parse_include(request.query.get("includeObject")), now));
    return json_response(200, table);
}

http::Response list(cell::Cell& cell, const std::string& site, const Resource& resource, const http::Request& request,
                    WallTime now) {
    auto page = read_page(cell, site, resource, request.query);
    if (!page) return refusal(page.error(), &resource);
    std::string version = std::to_string(page->number);
    Json metadata = Json::object({{"resourceVersion", version}});
    if (!page->next.empty()) {
        metadata.set("continue", page->next);
        if (page->remaining) metadata.set("remainingItemCount", page->remaining);
    }
    if (wants_table(request.headers.get("Accept"))) {
        Json table = empty_table(resource.view, resource.kind, version);
        table.set("metadata", std::move(metadata));
        Include include = parse_include(request.query.get("includeObject"));
        Json rows = Json::array();
        for (auto& object : page->objects) rows.push(table_row(resource.view, *object, include, now));
        table.set("rows", std::move(rows));
        return json_response(200, table);
    }
    ViewFacts view = facts(resource.view, resource.kind);
    Json items = Json::array();
    for (auto& object : page->objects) items.push(write(resource.view, *object));
    return json_response(200, Json::object({{"kind", std::string(view.name) + "List"},
                                            {"apiVersion", view.api_version},
                                            {"metadata", std::move(metadata)},
                                            {"items", std::move(items)}}));
}

} // namespace skerry::api
