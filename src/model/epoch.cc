#include "model/epoch.h"

#include "model/allocation.pb.h"

namespace skerry::model {

std::strong_ordering compare(const Epoch& left, const Epoch& right) {
    if (left.has_above() || right.has_above())
        if (auto above = compare(left.above(), right.above()); above != 0) return above;
    if (auto term = left.term() <=> right.term(); term != 0) return term;
    return left.count() <=> right.count();
}

std::string text(const Epoch& epoch) {
    std::string own = std::to_string(epoch.term()) + "." + std::to_string(epoch.count());
    return epoch.has_above() ? text(epoch.above()) + "/" + own : own;
}

} // namespace skerry::model
