#pragma once

#include <compare>
#include <string>

namespace skerry::model {

class Epoch;

/// Order of fencing numbers (rule H4): what a cell above gave counts first (rule A3), then the term, then the count. One that is
/// absent is below all. A receiver obeys nothing below the highest that it accepted for the same allocation.
std::strong_ordering compare(const Epoch&, const Epoch&);

/// For people: `2.5` is count 5 of term 2; `1.3/2.5` the same within 1.3 of the cell above.
std::string text(const Epoch&);

} // namespace skerry::model
