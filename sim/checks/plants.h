#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace skerry::sim {

class Fleet;

/// A bug put where the simulation meets the cells (a disk, a wire, a driver, a clock), so that the check of this name must fail.
/// The code of the cells is the same as ever.
struct Plant {
    std::string_view check;
    std::string_view bug;
    void (*play)(Fleet&);
};

const std::vector<Plant>& plants();
const Plant* find_plant(std::string_view check);

} // namespace skerry::sim
