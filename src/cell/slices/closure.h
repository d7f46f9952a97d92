#pragma once

#include "cell/slices/slicer.h"
#include "store/store.h"

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace skerry::cell {

/// Names one peer within a cell: "site/store-17", "node/n1", "parent".
std::string peer_tag(env::Peer::Role, std::string_view name);
inline constexpr std::string_view parent_tag = "parent";

/// Which objects belong into the slice of which peer (rule A2), kept current from the store's changes.
///
/// An object is a member for itself (a root) or because members refer to it, counted. One change touches only the peers whose
/// slices it is in or enters, and of their members only those that it referred or now refers to.
class Closure {
public:
    enum class Way { down, up };
    using Get = std::function<store::ObjectPtr(const store::Key&)>;

    /// Up: one peer, the parent. The slicer must outlive this.
    Closure(const Slicer& slicer, Way way, Get get) : slicer_(slicer), way_(way), get_(std::move(get)) {}

    struct Parts {
        bool wish = false, found = false, seen = false;
        bool refers = false; ///< nothing of it goes, what it refers to does
        bool has(store::Part part) const { return part == store::Part::wish ? wish : part == store::Part::found ? found : seen; }
        explicit operator bool() const { return wish || found || seen || refers; }
    };
    /// Membership of the object in the slice of this peer, or its bytes, may have changed.
    using Touched = std::function<void(const std::string& peer, const store::Key&)>;

    /// A change that is visible in the store already. At the start: all objects as new ones.
    void change(const store::Change&, const Touched&);

    Parts parts(const std::string& peer, const store::Key&) const;
    /// Number at which the object entered that slice, at the latest; 0 where it is there for itself.
    store::Number since(const std::string& peer, const store::Key&) const;
    std::vector<store::Key> members(const std::string& peer) const;

private:
    struct Membership {
        Parts root;
        std::uint32_t references = 0; ///< from how many members
        store::Number since = 0;
        std::vector<store::Key> refers; ///< what this one counts in
    };
    using Slice = std::unordered_map<store::Key, Membership>;

    void update(const std::string& peer, const store::Key&, Parts root, const store::Object*, store::Number, const Touched&);
    void refer(const std::string& peer, const store::Key&, store::Number, const Touched&);
    void release(const std::string& peer, const store::Key&, const Touched&);
    std::vector<std::pair<std::string, Parts>> roots(const store::Object*) const;

    const Slicer& slicer_;
    Way way_;
    Get get_;
    std::unordered_map<std::string, Slice> slices_;
    std::unordered_map<store::Key, std::unordered_set<std::string>> holders_; ///< peers whose slice has it
};

} // namespace skerry::cell
