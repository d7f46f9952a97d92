#include "api/table.h"

#include "model/instance.pb.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/text/columns.h"
#include "model/text/mapping.h"

namespace skerry::api {

namespace {

struct PlainColumn {
    std::string_view name;
    int priority;
    std::string (*text)(const store::Object&, WallTime now);
};

std::string age_of(const store::Object& object, WallTime now) {
    auto created = parse_rfc3339(model::metadata(object.message()).creation_timestamp());
    return created ? age(std::chrono::seconds(now.seconds - created->seconds)) : "<unknown>";
}

const model::Instance& instance(const store::Object& object) { return store::as<model::Instance>(object); }

constexpr PlainColumn namespace_columns[] = {
    {"Name", 0, [](const store::Object& o, WallTime) { return o.key.name; }},
    {"Status", 0, [](const store::Object&, WallTime) { return std::string("Active"); }},
    {"Age", 0, age_of},
};

constexpr PlainColumn pod_columns[] = {
    {"Name", 0, [](const store::Object& o, WallTime) { return o.key.name; }},
    {"Ready", 0, [](const store::Object& o, WallTime) { return std::string(instance(o).status().ready() ? "1/1" : "0/1"); }},
    {"Status", 0,
     [](const store::Object& o, WallTime) {
         auto& status = instance(o).status();
         return status.phase() == "Running" || status.reason().empty() ? status.phase() : status.reason();
     }},
    {"Restarts", 0, [](const store::Object& o, WallTime) { return std::to_string(instance(o).status().restarts()); }},
    {"Age", 0, age_of},
    {"IP", 1, [](const store::Object& o, WallTime) { return instance(o).status().address(); }},
    {"Node", 1, [](const store::Object& o, WallTime) { return instance(o).spec().node(); }},
};

std::span<const PlainColumn> plain_columns(View view) {
    if (view == View::as_namespace) return namespace_columns;
    if (view == View::as_pod) return pod_columns;
    return {};
}

Json definition(std::string_view name, std::string_view type, std::string_view description, int priority) {
    return Json::object({{"name", name},
                         {"type", type},
                         {"format", name == "Name" ? "name" : ""},
                         {"description", description},
                         {"priority", priority}});
}

} // namespace

bool wants_table(std::string_view accept) {
    std::size_t table = accept.find("as=Table");
    if (table == std::string_view::npos) return false;
    // What stands first is preferred; kubectl puts its Table types before plain JSON.
    return accept.substr(0, table).find(',') == std::string_view::npos || accept.find("application/json,") > table;
}

Include parse_include(std::string_view text) {
    return text == "Object" ? Include::object : text == "None" ? Include::none : Include::metadata;
}

Json table_columns(View view, model::Kind kind) {
    Json columns = Json::array();
    if (auto plain = plain_columns(view); !plain.empty()) {
        for (const PlainColumn& column : plain) columns.push(definition(column.name, "string", "", column.priority));
        return columns;
    }
    for (const model::Column& column : model::columns(kind))
        columns.push(definition(column.name, column.type, column.description, column.wide ? 1 : 0));
    return columns;
}

Json table_row(View view, const store::Object& object, Include include, WallTime now) {
    Json cells = Json::array();
    if (auto plain = plain_columns(view); !plain.empty())
        for (const PlainColumn& column : plain) cells.push(column.text(object, now));
    else
        for (const model::Column& column : model::columns(object.key.kind)) cells.push(column.text(object.message(), now));
    Json row = Json::object({{"cells", std::move(cells)}});
    if (include == Include::none) return row;
    Json shown = write(view, object);
    if (include == Include::metadata)
        shown = Json::object(
            {{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", shown.at({"metadata"})}});
    row.set("object", std::move(shown));
    return row;
}

Json empty_table(View view, model::Kind kind, std::string_view resource_version, bool with_columns) {
    Json table = Json::object({{"kind", "Table"},
                               {"apiVersion", "meta.k8s.io/v1"},
                               {"metadata", Json::object({{"resourceVersion", resource_version}})}});
    table.set("columnDefinitions", with_columns ? table_columns(view, kind) : Json::array());
    table.set("rows", Json::array());
    return table;
}

} // namespace skerry::api
