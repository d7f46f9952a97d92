#pragma once

#include "base/ids.h"
#include "model/kind.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace skerry::store {

/// A cell's own counter (rule S1). Every visible change takes the next one; 0 means "never".
using Number = std::uint64_t;

/// Names an object within a cell.
struct Key {
    model::Kind kind{};
    std::string project; ///< empty for kinds that belong to no project
    std::string name;

    auto operator<=>(const Key&) const = default;
    /// "App retail/till", "Site store-17".
    std::string text() const;
};

using Blob = std::shared_ptr<const std::string>;

/// An object is stored in up to three parts, each decided in one place. Each part is the kind's protobuf message with only some
/// fields set, so the object is the merge of its parts, and the merge of their bytes is their concatenation.
enum class Part : std::uint8_t {
    wish,  ///< metadata and spec (or data): decided at the home, durable before anyone is told
    found, ///< status as reported by whoever observes it (a node for its instances, a site for its allocations): soft
    seen,  ///< status that the parent of the observer adds (when it last heard from it): soft, stays in this cell
};

struct PartState {
    Blob bytes;        ///< null: this part is absent
    Number number = 0; ///< of its last change
    CellId from;       ///< the cell it came from over a link; zero: decided or observed here
};

/// One object as of one moment. Immutable and shared; later changes make new ones.
class Object {
public:
    Key key;
    Uid uid;
    CellId home;
    std::uint32_t generation = 0; ///< of the wish
    PartState wish, found, seen;

    Number number() const { return std::max(wish.number, std::max(found.number, seen.number)); }
    const PartState& part(Part p) const { return p == Part::wish ? wish : p == Part::found ? found : seen; }
    PartState& part(Part p) { return p == Part::wish ? wish : p == Part::found ? found : seen; }

    /// All parts decoded and merged; decoded at the first call and kept. Deciding thread only. An undecodable part counts as
    /// absent.
    const google::protobuf::Message& message() const;

    Object() = default;
    /// Copies without the decoded message, so that the copy can be changed.
    Object(const Object&);
    Object& operator=(const Object&);
    ~Object();

private:
    mutable std::shared_ptr<const google::protobuf::Message> decoded_;
};

using ObjectPtr = std::shared_ptr<const Object>;

/// `as<model::App>(*object)`. The kind must match.
template<class M>
const M& as(const Object& object) {
    return static_cast<const M&>(object.message());
}

} // namespace skerry::store

template<>
struct std::hash<skerry::store::Key> {
    std::size_t operator()(const skerry::store::Key& key) const noexcept {
        return std::hash<std::string>{}(key.name) * 31 + std::hash<std::string>{}(key.project) * 7 +
               static_cast<std::size_t>(key.kind);
    }
};
