#include "model/override.pb.h"

#include "model/app.pb.h"
#include "model/places/overriding.h"
#include "model/rules/kind_rules.h"

namespace skerry::model {

void check(const Override& override_, Problems& problems) {
    const auto& spec = override_.spec();
    auto json = [&](const char* field, bool has, const std::string& text) {
        if (!has) return true;
        auto value = parse_json(text);
        if (!value)
            problems.add(field, quoted(text) + " is not JSON: " + value.error().message + " (a text needs quotes: \"cash\")");
        else if (value->is_null())
            problems.add(field, "null is no value (leave it out where the field shall be absent)");
        return value && !value->is_null();
    };
    bool readable = json("spec.baseValue", spec.has_base_value(), spec.base_value());
    readable = json("spec.value", spec.has_value(), spec.value()) && readable;
    auto path = overridable(spec.path());
    if (!path && !spec.path().empty()) problems.add("spec.path", path.error().message);
    if (!path || !readable) return;
    if (spec.has_value() == spec.has_base_value() && spec.value() == spec.base_value() && !spec.has_settles())
        problems.add("spec.value", "is what the App says already (give another value, or leave the override out)");
}

} // namespace skerry::model
