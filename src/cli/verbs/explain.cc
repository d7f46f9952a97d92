#include "cli/client/client.h"
#include "cli/client/targets.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"
#include "model/rules/problems.h"
#include "model/text/mapping.h"
#include "model/text/schema.h"

#include <cstdio>

namespace skerry::cli {

namespace {

constexpr int deepest = 12;

/// The schema that ships with this program, read with its comments.
class Schema {
public:
    Schema() : definitions_(model::schema_definitions(model::SchemaText(), "")) {}

    const Json* of_kind(const model::KindFacts& kind) const { return definitions_.find(model::definition_name(kind.descriptor)); }

    /// Where the field's own members are described; null: it has none.
    const Json* members_of(const Json& field) const {
        if (field.find("properties")) return &field;
        const Json* place = &field;
        if (auto* items = field.find("items")) place = items;
        if (auto* all = field.find("allOf"); all && all->array_items() && !all->array_items()->empty())
            place = &(*all->array_items())[0];
        if (auto* values = field.find("additionalProperties"); values && values->members()) place = values;
        auto name = place->text("$ref");
        return name.empty() ? nullptr : definitions_.find(name);
    }

    std::string type_of(const Json& field) const {
        auto word = [&](const Json& value) {
            std::string type(value.text("type"));
            return type.empty() ? std::string("object") : type;
        };
        if (auto* items = field.find("items")) return "list of " + word(*items) + "s";
        if (auto* values = field.find("additionalProperties")) return "map of " + word(*values) + "s";
        return word(field);
    }

private:
    Json definitions_;
};

std::string remarks(const Json& field) {
    std::string out;
    const Json* single = field.find("items") ? field.find("items") : &field;
    if (auto* list = single->find("enum"); list && list->array_items()) {
        out += "one of ";
        for (std::size_t i = 0; i < list->array_items()->size(); ++i)
            out += (i ? ", " : "") + (*list->array_items())[i].string()[0];
    }
    if (auto* preset = field.find("default"))
        out += std::string(out.empty() ? "" : "; ") + "default " + (preset->string() ? *preset->string() : write_json(*preset));
    return out;
}

bool is_required(const Json& definition, std::string_view field) {
    auto* list = definition.find("required");
    if (!list || !list->array_items()) return false;
    for (const Json& each : *list->array_items())
        if (each.string() && *each.string() == field) return true;
    return false;
}

void print_fields(const Schema& schema, const Json& definition, int depth, bool recursive) {
    const Json* properties = definition.find("properties");
    if (!properties || !properties->members() || depth > deepest) return;
    std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
    for (auto& [name, field] : *properties->members()) {
        std::printf("%s%s  %s%s\n", indent.c_str(), painted(Paint::bold, name).c_str(),
                    ("<" + schema.type_of(field) + ">").c_str(), is_required(definition, name) ? "  required" : "");
        const Json* inner = schema.members_of(field);
        if (!recursive) {
            std::string text(field.text("description"));
            if (text.empty() && inner) text = inner->text("description");
            if (!text.empty()) std::printf("%s    %s\n", indent.c_str(), text.c_str());
            if (auto remark = remarks(field); !remark.empty()) std::printf("%s    (%s)\n", indent.c_str(), remark.c_str());
        } else if (inner) {
            print_fields(schema, *inner, depth + 1, true);
        }
    }
}

Result<void> explain(const std::string& path, bool recursive) {
    std::size_t dot = path.find('.');
    const model::KindFacts* kind = TRY(find_kind(path.substr(0, dot)));
    Schema schema;
    const Json* definition = schema.of_kind(*kind);
    if (!definition) return fail(Code::internal, "the schema lacks " + std::string(kind->name));
    const Json* field = definition;
    std::string way(kind->singular);
    std::string_view rest = dot == std::string::npos ? std::string_view() : std::string_view(path).substr(dot + 1);
    while (!rest.empty()) {
        std::string_view name = rest.substr(0, rest.find('.'));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        std::vector<std::string_view> known;
        const Json* next = nullptr;
        if (definition && definition->find("properties"))
            for (auto& [each, value] : *definition->find("properties")->members()) {
                known.push_back(each);
                if (each == name) next = &value;
            }
        if (!next) {
            auto best = model::closest(name, known);
            return fail(Code::not_found, way + " has no field " + model::quoted(name) +
                                             (best.empty() ? "" : "; did you mean " + std::string(best) + "?"));
        }
        way += "." + std::string(name);
        field = next;
        definition = schema.members_of(*field);
    }
    std::printf("KIND:     %s (%s)\n", std::string(kind->name).c_str(), std::string(model::api_version).c_str());
    if (field != definition) std::printf("FIELD:    %s <%s>\n", way.c_str(), schema.type_of(*field).c_str());
    std::string text(field->text("description"));
    if (definition && text.empty()) text = definition->text("description");
    if (!text.empty()) std::printf("\n%s\n", text.c_str());
    if (auto remark = remarks(*field); !remark.empty()) std::printf("(%s)\n", remark.c_str());
    if (!definition) return {};
    std::printf("\nFIELDS:\n");
    print_fields(schema, *definition, 1, recursive);
    return {};
}

} // namespace

Command explain_command() {
    return {.name = "explain",
            .summary = "Tell what the fields of a kind mean",
            .details = "From the schema that this program was built with; asks no server.",
            .examples = {"skerry explain app", "skerry explain app.spec.components.placement", "skerry explain site --recursive"},
            .arguments = {{.name = "KIND[.FIELD...]", .help = "such as app.spec.components", .suggest = suggest_kinds_and_names}},
            .options = with_connection({{.names = "--recursive", .value = "", .help = "all fields below, names and types only"}}),
            .run =
                [](const Invocation& call) {
                    auto done = explain(call.arguments[0], call.has("recursive"));
                    return done ? 0 : report(done.error());
                },
            .group = objects_group};
}

} // namespace skerry::cli
