#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class Message;
} // namespace google::protobuf

namespace skerry::model {

/// The nouns of the API. Numbers are written on links and disks and never reused. Their order is the order in which a batch
/// carries objects, so that what is referred to arrives before what refers to it (rule L2).
enum class Kind : std::uint8_t {
    project = 1,
    site = 2,
    node = 3,
    secret = 4,
    config = 5,
    image = 6,
    app = 7,
    revision = 8,
    allocation = 9,
    instance = 10,
    event = 11,
    override_ = 12,
};

/// What the schema says about a kind.
struct KindFacts {
    Kind kind;
    std::string_view name;     ///< "App"
    std::string_view singular; ///< "app"
    std::string_view plural;   ///< "apps"
    std::vector<std::string_view> short_names;
    bool fleet_wide;    ///< belongs to no project
    bool made_by_loops; ///< users may read and not write it
    const google::protobuf::Descriptor* descriptor;
};

std::span<const KindFacts> all_kinds();
const KindFacts& facts(Kind);
inline std::string_view name(Kind kind) { return facts(kind).name; }
/// Null for a number this build does not know.
const KindFacts* find_kind(std::uint32_t number);
/// By name, singular, plural or short name, in any case.
const KindFacts* find_kind(std::string_view word);

} // namespace skerry::model
