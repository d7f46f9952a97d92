#include "model/rules/kind_rules.h"
#include "model/rules/validate.h"
#include "model/secret.pb.h"

namespace skerry::model {

namespace {

template<class Map>
std::size_t total(const Map& map) {
    std::size_t bytes = 0;
    for (auto& [key, value] : map) bytes += key.size() + value.size();
    return bytes;
}

void check_total(std::size_t bytes, Problems& problems) {
    if (bytes > largest_data)
        problems.add("data", std::to_string(bytes) + " bytes of keys and values; at most " + std::to_string(largest_data) +
                                 " are accepted (put large files into an image)");
}

} // namespace

void check(const Secret& secret, Problems& problems) {
    check_total(total(secret.data()) + total(secret.string_data()), problems);
}
void check(const Config& config, Problems& problems) { check_total(total(config.data()), problems); }

} // namespace skerry::model
