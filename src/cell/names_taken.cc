#include "cell/names_taken.h"

namespace skerry::cell {

void report_names_taken(const Peers& peers, std::string_view what, const std::string& now, model::Conditions& conditions) {
    auto parent = peers.parent();
    if (parent && !parent->names_taken.empty()) {
        std::string names;
        for (const auto& name : parent->names_taken) names += (names.empty() ? "" : ", ") + name;
        model::set_condition(conditions, "NameTaken", "True", "NameTaken",
                             "the " + std::string(what) + " has another of the same name as " + names +
                                 "; the parent's waits: delete or rename one of the two",
                             now);
    } else if (parent && parent->in_agreement) {
        model::remove_condition(conditions, "NameTaken");
    }
}

} // namespace skerry::cell
