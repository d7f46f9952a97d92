#pragma once

#include "store/backend.h"
#include "store/object.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace skerry::store {

/// The visible objects of a store, by kind and name, and by the number of their last change; and the tombstones of those erased.
///
/// An object costs one tree node and 16 to 32 bytes of index beside itself. The index is a vector in order of numbers, since
/// changes come in order of numbers: a change strikes out the object's old entry and appends a new one, and the vector is packed
/// when more than half of it is struck out.
class Tables {
public:
    struct Row {
        mutable ObjectPtr object;
        mutable bool dirty = false; ///< holds soft parts that no batch has carried yet
    };

    Tables() = default;
    /// What a backend loaded, in any order: keys and numbers of the objects are distinct. A tombstone under the key of a living
    /// object is dropped.
    Tables(const std::vector<ObjectPtr>& objects, const std::vector<Backend::Tombstone>& tombstones);
    Tables(Tables&&) = default;
    Tables& operator=(Tables&&) = default;

    const Row* find(const Key&) const;
    ObjectPtr get(const Key& key) const {
        const Row* row = find(key);
        return row ? row->object : nullptr;
    }
    std::vector<ObjectPtr> list(model::Kind, std::optional<std::string_view> project) const;
    std::size_t count(model::Kind) const;

    /// The object's number must be the highest so far.
    const Row& put(ObjectPtr);
    /// The object must exist; the tombstone's number must be the highest so far.
    void erase(const Backend::Tombstone&);
    /// Forgets tombstones at or below.
    void forget(Number floor);

    /// Calls `visit(const Row&)` in order of numbers, from the first above `after` on, until it returns false.
    template<class Visit>
    void rows_after(Number after, Visit visit) const {
        for (std::size_t i = above(after); i < index_.size(); i++)
            if (index_[i].row && !visit(*index_[i].row)) return;
    }
    const std::map<Number, Backend::Tombstone>& tombstones() const { return tombstones_; }
    Number highest() const;

private:
    struct ByName {
        using is_transparent = void;
        using Name = std::pair<std::string_view, std::string_view>;
        static Name name(const Row& row) { return {row.object->key.project, row.object->key.name}; }
        static Name name(const Name& name) { return name; }
        template<class A, class B>
        bool operator()(const A& a, const B& b) const {
            return name(a) < name(b);
        }
    };
    using Table = std::set<Row, ByName>;
    struct Entry {
        Number number;
        const Row* row; ///< null: struck out
    };

    std::size_t above(Number number) const;
    void strike(Number number);
    void append(Number number, const Row* row);

    std::map<model::Kind, Table> tables_;
    std::vector<Entry> index_;
    std::size_t struck_ = 0;
    std::map<Number, Backend::Tombstone> tombstones_;
    std::unordered_map<Key, Number> buried_; ///< where a key's tombstone is
};

} // namespace skerry::store
