#include "model/conditions.h"

#include "model/meta.pb.h"

namespace skerry::model {

namespace {

bool replace(std::string* field, std::string_view value) {
    if (*field == value) return false;
    *field = value;
    return true;
}

} // namespace

bool set_condition(Conditions& conditions, std::string_view type, std::string_view status, std::string_view reason,
                   std::string_view message, std::string_view now) {
    Condition* condition = nullptr;
    for (Condition& each : conditions)
        if (each.type() == type) condition = &each;
    if (!condition) {
        condition = conditions.Add();
        condition->set_type(std::string(type));
    }
    bool turned = replace(condition->mutable_status(), status);
    if (turned) condition->set_last_transition_time(std::string(now));
    bool reworded = replace(condition->mutable_reason(), reason);
    bool retold = replace(condition->mutable_message(), message);
    return turned || reworded || retold;
}

bool remove_condition(Conditions& conditions, std::string_view type) {
    for (int i = 0; i < conditions.size(); ++i)
        if (conditions[i].type() == type) {
            conditions.DeleteSubrange(i, 1);
            return true;
        }
    return false;
}

const Condition* find_condition(const Conditions& conditions, std::string_view type) {
    for (const Condition& condition : conditions)
        if (condition.type() == type) return &condition;
    return nullptr;
}

bool holds(const Conditions& conditions, std::string_view type) {
    const Condition* condition = find_condition(conditions, type);
    return condition && condition->status() == "True";
}

} // namespace skerry::model
