#include "cell/epochs.h"

#include "model/allocation.pb.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace skerry::cell {

namespace {

constexpr std::string_view epoch_space = "epoch";

std::uint32_t number(const store::Store& store, std::string_view key, std::uint32_t otherwise) {
    auto bytes = store.note(epoch_space, key);
    std::uint32_t value = 0;
    if (!bytes || std::from_chars(bytes->data(), bytes->data() + bytes->size(), value).ec != std::errc{}) return otherwise;
    return value;
}

} // namespace

Epochs::Epochs(store::Store& store) : term_(number(store, "term", 1)), count_(number(store, "count", 0)) {}

model::Epoch Epochs::next(store::Transaction& transaction) {
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
