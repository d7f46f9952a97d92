#include "cell/epochs.h"

#include "base/number.h"
#include "model/allocation.pb.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace skerry::cell {

namespace {

constexpr std::string_view epoch_space = "epoch";

/// `otherwise` where there is no such note; none where it cannot be read.
std::optional<std::uint32_t> number(const store::Store& store, std::string_view key, std::uint32_t otherwise) {
    auto bytes = store.note(epoch_space, key);
    if (!bytes) return otherwise;
    return parse_number<std::uint32_t>(*bytes);
}

} // namespace

Epochs::Epochs(store::Store& store) {
    auto term = number(store, "term", 1), count = number(store, "count", 0);
    if (term && count) {
        term_ = *term, count_ = *count;
        return;
    }
    term_ = term.value_or(1);
    for (const auto& object : store.list(model::Kind::allocation)) {
        const auto& allocation = store::as<model::Allocation>(*object);
        term_ = std::max({term_, allocation.spec().epoch().term(), allocation.status().epoch().term()});
    }
    ++term_;
    is_new_term_ = true;
}

model::Epoch Epochs::next(store::Transaction& transaction) {
    if (std::exchange(is_new_term_, false)) transaction.note(epoch_space, "term", std::to_string(term_));
    transaction.note(epoch_space, "count", std::to_string(++count_));
    model::Epoch epoch;
    epoch.set_term(term_);
    epoch.set_count(count_);
    return epoch;
}

void Epochs::raise(std::uint32_t seen, store::Transaction& transaction) {
    term_ = std::max(term_, seen) + 1;
    count_ = 0;
    transaction.note(epoch_space, "term", std::to_string(term_));
    transaction.note(epoch_space, "count", "0");
}

} // namespace skerry::cell
