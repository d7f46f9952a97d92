#pragma once

#include <map>
#include <string>
#include <string_view>

namespace skerry::model {

/// In which entry `here` (a map of texts of an object) is not as `wished`, for people: "its label tier is bakery, not store". Empty: in
/// none. `field` names what the map holds.
template<class Map>
std::string difference(std::string_view field, const Map& here, const std::map<std::string, std::string>& wished) {
    for (auto& [name, value] : wished) {
        auto found = here.find(name);
        if (found == here.end()) return "it has no " + std::string(field) + " " + name;
        if (found->second != value) return "its " + std::string(field) + " " + name + " is " + found->second + ", not " + value;
    }
    return {};
}

} // namespace skerry::model
