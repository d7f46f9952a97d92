#include "model/text/summary.h"

#include "model/meta.pb.h"
#include "model/parts.h"

namespace skerry::model {

namespace {

/// Says something that people should know, and is no fault.
bool is_remark(std::string_view type) { return type == "FencedByLeaseOnly" || type == "WindowOpen"; }

std::string word(const Condition& condition) {
    if (!condition.reason().empty()) return condition.reason();
    return (condition.status() == "True" ? "" : condition.status() == "False" ? "Not" : "Unknown") + condition.type();
}

} // namespace

bool is_fault(std::string_view type) {
    return type == "NameTaken" || type == "Removing" || type == "Halted" || type == "Revoked" || type == "Conflict" ||
           type == "Detached";
}

std::string summary(const google::protobuf::Message& message, std::string_view good) {
    const auto* all = conditions(message);
    if (!all || all->empty()) return "Pending";
    const Condition* ready = nullptr;
    for (const Condition& condition : *all) {
        if (condition.type() == "ClockTrusted") continue; // nothing that is wanted waits for it
        if (condition.type() == "Ready")
            ready = &condition;
        else if (!is_remark(condition.type()) && (condition.status() == "True") == is_fault(condition.type()))
            return word(condition);
    }
    if (ready && ready->status() != "True") return word(*ready);
    return std::string(good);
}

} // namespace skerry::model
