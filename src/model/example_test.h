#pragma once

#include "model/rules/validate.h"
#include "model/text/mapping.h"

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

/// What the tests of this folder share: objects from JSON text, and their problems as text.
namespace skerry::model::test {

inline Json json(std::string_view text) {
    Result<Json> value = parse_json(text);
    EXPECT_TRUE(value) << text << "\n" << (value ? "" : value.error().message);
    return value ? std::move(*value) : Json();
}

/// Reads a message that must be right.
template<class M>
M read(std::string_view text) {
    M message;
    Problems problems;
    from_json(json(text), message, problems);
    EXPECT_TRUE(problems.empty()) << problems.text();
    return message;
}

/// Everything that reading and validating an object finds, one line each.
inline std::string problems_of(const Json& object) {
    Problems problems;
    Parsed parsed = parse_object(object, Unknown::refuse, problems);
    if (parsed.message) validate(parsed.kind->kind, *parsed.message, problems);
    return problems.text();
}

/// An App that is right, to be changed by a merge patch.
inline Json till(std::string_view patch = "{}") {
    Json app =
        json(R"x({"apiVersion":"skerry/v1","kind":"App","metadata":{"name":"till","namespace":"retail","labels":{"tier":"store"}},
        "spec":{"state":"running","components":[{"name":"pos","runtime":"container","image":"retail/pos:4.2","command":["/pos","--listen",":8080"],
        "resources":{"cpu":"500m","memory":"128Mi"},"ports":[{"name":"http","port":8080,"publish":80}],
        "env":[{"name":"STORE","value":"$(site.name)"},{"name":"KEY","from":{"secret":"till-key","key":"token"}}],
        "health":{"http":{"port":"http","path":"/healthz"},"period":"5s","failures":3},
        "placement":{"mode":"each","replicas":1,"sites":{"matchLabels":{"tier":"store"}},"within":{"jurisdictions":["FR","DE"]}},
        "partition":{"policy":"keep","replaceAfter":"10m","onHeal":"keepOriginal"}}],
        "rollout":{"maxUnavailable":"10%","pauseBetween":"30s"}}})x");
    merge_patch(app, json(patch));
    return app;
}

/// The same with its only component changed by a merge patch.
inline Json till_component(std::string_view patch) {
    Json app = till();
    merge_patch((*app.find("spec")->find("components")->array_items())[0], json(patch));
    return app;
}

} // namespace skerry::model::test
