// What people and their tools apply: YAML or JSON of any shape. Nothing crashes, every refusal has words, and what is accepted
// is written back equal.
#include "base/check.h"
#include "model/kind.h"
#include "model/rules/defaults.h"
#include "model/rules/validate.h"
#include "model/selector.h"
#include "model/text/mapping.h"
#include "model/text/yaml.h"
#include "seeds.h"

#include <google/protobuf/message.h>

#include <cmath>
#include <fstream>
#include <iterator>

using namespace skerry;

namespace {

bool all_finite(const Json& json) {
    if (auto* real = json.real()) return std::isfinite(*real);
    if (auto* items = json.array_items()) {
        for (auto& item : *items)
            if (!all_finite(item)) return false;
    }
    if (auto* members = json.members()) {
        for (auto& member : *members)
            if (!all_finite(member.second)) return false;
    }
    return true;
}

void read_object(const Json& document) {
    for (auto unknown : {model::Unknown::ignore, model::Unknown::warn, model::Unknown::refuse}) {
        model::Problems problems;
        auto parsed = model::parse_object(document, unknown, problems);
        CHECK((parsed.kind == nullptr) == (parsed.message == nullptr));
        CHECK(parsed.kind != nullptr || !problems.empty(), "no kind and no problem");
        CHECK(problems.list().size() <= model::Problems::kept);
        if (!problems.empty()) CHECK(!problems.text().empty());
        if (!parsed.message) continue;
        model::apply_presets(*parsed.message);
        model::Problems wrong;
        model::validate(parsed.kind->kind, *parsed.message, wrong);
        model::validate_update(parsed.kind->kind, *parsed.message, *parsed.message, wrong);
        Json shown = model::write_object(parsed.kind->kind, *parsed.message);
        if (!problems.empty() || !wrong.empty()) continue;
        model::Problems again;
        auto copy = model::parse_object(shown, model::Unknown::refuse, again);
        CHECK(again.empty() && copy.message, "what is written cannot be read: " + again.text());
        Json twice = model::write_object(parsed.kind->kind, *copy.message);
        CHECK(twice == shown, "what is written reads back as something else: " + write_json(shown) + " and " + write_json(twice));
    }
}

std::string till() {
    std::ifstream file(SKERRY_ROOT "/examples/till.yaml");
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    fuzz::start_from(
        {till(),
         "apiVersion: skerry/v1\nkind: Site\nmetadata: {name: store-17, labels: {tier: store}}\nspec:\n  parents: [core]\n"
         "  location: {latitude: 48.85, longitude: 2.35, jurisdiction: FR}\n  uplinks: [{name: wan, profile: dsl}]\n  values: "
         "{a: b}\n",
         "{\"apiVersion\":\"skerry/"
         "v1\",\"kind\":\"Config\",\"metadata\":{\"name\":\"c\",\"namespace\":\"default\"},\"data\":{\"a\":\"b\"}}",
         "apiVersion: skerry/v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: abc}\ndata: {x: aGk=}\n",
         "kind: List\napiVersion: v1\nitems:\n- &a {apiVersion: skerry/v1, kind: Project, metadata: {name: p}}\n- *a\n",
         "a: &a [1, 2.5, 0x1f, 0o17, ~, true, .inf]\nb: [*a, *a]\nc: |\n  text\n   more\nd: >-\n  folded\n  text\n\"e f\": "
         "'it''s'\n",
         "apiVersion: skerry/v1\nkind: App\nmetadata: {name: till, namespace: retail}\nspec:\n  components:\n  - name: pos\n"
         "    image: retail/pos:4.2\n    resources: {cpu: 500m, memory: 128Mi}\n    ports: [{name: http, port: 8080, publish: "
         "80}]\n"
         "    env: [{name: KEY, from: {secret: till-key, key: token}}]\n    health: {http: {port: http, path: /healthz}, period: "
         "5s, failures: 3}\n"
         "    placement: {mode: spread, replicas: 0, sites: {matchLabels: {tier: store}}}\n  rollout: {maxUnavailable: 10%}\n"},
        count, arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(bytes), size);
    if (auto json = parse_json(text)) {
        auto again = parse_json(write_json(*json));
        CHECK(again.has_value() && *again == *json, "JSON does not read back equal: " + write_json(*json));
    }
    auto documents = model::parse_manifest(text);
    if (!documents) {
        CHECK(!documents.error().message.empty());
        return 0;
    }
    for (auto& document : *documents) {
        read_object(document);
        if (!all_finite(document)) continue;
        std::string yaml = model::write_yaml(document);
        auto again = model::parse_yaml(yaml);
        if (document.is_null()) continue;
        CHECK(again.has_value(), "YAML of ours cannot be read: " + yaml);
        CHECK(again->size() == 1 && again->front() == document, "YAML does not read back equal: " + yaml);
    }
    return 0;
}
