#include "cli/field_path.h"

#include "model/rules/problems.h"

#include <charconv>

namespace skerry::cli {

namespace {

constexpr std::size_t most_steps = 32;

} // namespace

Result<FieldPath> FieldPath::parse(std::string_view text) {
    auto wrong = [whole = text] {
        return fail(Code::invalid,
                    model::quoted(whole) + " is no path to a field (try status.phase or spec.components[name=pos].image)");
    };
    if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
    if (text.starts_with('$')) text.remove_prefix(1);
    if (text.starts_with('.')) text.remove_prefix(1);
    FieldPath path;
    bool name_next = true;
    while (!text.empty()) {
        if (path.steps_.size() == most_steps) return wrong();
        if (text[0] == '[') {
            std::size_t end = text.find(']');
            if (end == std::string_view::npos || end == 1) return wrong();
            std::string_view inner = text.substr(1, end - 1);
            Step step;
            if (std::size_t equals = inner.find('='); equals != std::string_view::npos) {
                step = {.name = std::string(inner.substr(0, equals)),
                        .value = std::string(inner.substr(equals + 1)),
                        .kind = Step::Kind::key};
            } else {
                auto [last, error] = std::from_chars(inner.data(), inner.data() + inner.size(), step.index);
                bool whole = error == std::errc() && last == inner.data() + inner.size();
                // A name that has dots in it: labels[a.b/c].
                step.kind = whole ? Step::Kind::index : Step::Kind::member;
                if (!whole) step.name = inner;
            }
            path.steps_.push_back(std::move(step));
            text.remove_prefix(end + 1);
            name_next = false;
        } else if (text[0] == '.') {
            if (name_next) return wrong();
            text.remove_prefix(1);
            name_next = true;
            if (text.empty()) return wrong();
        } else {
            if (!name_next) return wrong();
            std::size_t end = std::min(text.find_first_of(".["), text.size());
            path.steps_.push_back({.name = std::string(text.substr(0, end))});
            text.remove_prefix(end);
            name_next = false;
        }
    }
    if (path.steps_.empty()) return wrong();
    return path;
}

const Json* FieldPath::find(const Json& object) const {
    const Json* at = &object;
    for (const Step& step : steps_) {
        const Json* next = nullptr;
        if (step.kind == Step::Kind::member) {
            next = at->find(step.name);
        } else if (auto* items = at->array_items()) {
            if (step.kind == Step::Kind::index && step.index < items->size()) next = &(*items)[step.index];
            if (step.kind == Step::Kind::key)
                for (const Json& item : *items)
                    if (!next && item.text(step.name) == step.value) next = &item;
        }
        if (!next) return nullptr;
        at = next;
    }
    return at;
}

std::string FieldPath::text(const Json& object) const {
    const Json* found = find(object);
    if (!found || found->is_null()) return {};
    return found->string() ? *found->string() : write_json(*found);
}

} // namespace skerry::cli
