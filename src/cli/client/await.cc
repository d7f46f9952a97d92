#include "cli/client/await.h"

#include "cli/client/watching.h"
#include "model/rules/problems.h"

#include <algorithm>

namespace skerry::cli {

namespace {

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const Json* find_condition(const Json& object, std::string_view type) {
    const Json& conditions = object.at({"status", "conditions"});
    if (!conditions.array_items()) return nullptr;
    for (const Json& condition : *conditions.array_items())
        if (same_word(condition.text("type"), type)) return &condition;
    return nullptr;
}

/// The status speaks of an older wish.
bool is_stale(const Json& object) {
    const Json& observed = object.at({"status", "observedGeneration"});
    const Json& generation = object.at({"metadata", "generation"});
    return observed.integer() && generation.integer() && *observed.integer() < *generation.integer();
}

} // namespace

Result<Goal> Goal::parse(std::string_view text) {
    Goal goal;
    if (text == "delete") return goal;
    std::string_view rest = text;
    auto wrong = [text] {
        return fail(Code::invalid, "--for: " + model::quoted(text) +
                                       " is not known (try condition=Available, delete, or status.readyReplicas=3)");
    };
    if (rest.starts_with("condition=")) {
        rest.remove_prefix(10);
        std::size_t equals = rest.find('=');
        goal.kind_ = Kind::condition;
        goal.name_ = rest.substr(0, equals);
        goal.value_ = equals == std::string_view::npos ? "True" : std::string(rest.substr(equals + 1));
        if (goal.name_.empty() || goal.value_.empty()) return wrong();
        return goal;
    }
    if (rest.starts_with("jsonpath=")) rest.remove_prefix(9);
    std::size_t bracket = rest.find(']') == std::string_view::npos ? 0 : rest.rfind(']');
    std::size_t equals = rest.find('=', bracket);
    if (equals == std::string_view::npos || equals == 0) return wrong();
    auto path = rest.substr(0, equals);
    if (path.size() > 1 && (path.front() == '\'' || path.front() == '"') && path.back() == path.front())
        path = path.substr(1, path.size() - 2);
    goal.kind_ = Kind::field;
    goal.name_ = path;
    goal.path_ = TRY(FieldPath::parse(path) | during("--for"));
    goal.value_ = rest.substr(equals + 1);
    return goal;
}

bool Goal::is_met(const Json* object) const {
    if (!object || kind_ == Kind::deletion) return !object && kind_ == Kind::deletion;
    if (kind_ == Kind::field) return path_->text(*object) == value_;
    const Json* condition = find_condition(*object, name_);
    return condition && !is_stale(*object) && same_word(condition->text("status"), value_);
}

std::string Goal::found(const Json* object) const {
    if (!object) return "it does not exist";
    if (kind_ == Kind::deletion) return "it is still there";
    if (kind_ == Kind::field) {
        std::string text = path_->text(*object);
        return name_ + (text.empty() ? " is not set" : " is " + model::quoted(text));
    }
    const Json* condition = find_condition(*object, name_);
    if (!condition) return "it has no condition " + name_ + " yet";
    if (is_stale(*object)) return "its status does not speak of its newest generation yet";
    std::string out = std::string(condition->text("type")) + " is " + std::string(condition->text("status"));
    for (auto part : {condition->text("reason"), condition->text("message")})
        if (!part.empty()) out += ": " + std::string(part);
    return out;
}

Result<void> await(Session& session, const Target& target, const Goal& goal, std::optional<Instant> until) {
    std::string last = "nothing is known of it";
    bool missing = false;
    auto look = [&](const Json* object) -> Result<Next> {
        last = goal.found(object);
        if (goal.is_met(object)) return Next::stop;
        if (object) return Next::go_on;
        missing = true;
        return Next::stop;
    };
    Watching watching{
        .kind = *target.kind,
        .choice = {.project = target.project, .label_selector = {}, .field_selector = "metadata.name=" + target.name}};
    watching.until = until;
    watching.listed = [&](const Json& list) { return look(items_of(list).empty() ? nullptr : &items_of(list)[0]); };
    watching.changed = [&](const WatchEvent& event) { return look(event.type == "DELETED" ? nullptr : &event.object); };
    auto watched = watch(session, std::move(watching));
    if (!watched && watched.error().code == Code::timeout)
        return fail(Code::timeout, target.title() + ": the time is over: " + last);
    TRY_VOID(std::move(watched));
    if (missing) return fail(Code::not_found, target.title() + ": not found");
    return {};
}

} // namespace skerry::cli
