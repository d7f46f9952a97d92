#include "store/tables.h"

#include "base/check.h"

#include <algorithm>

namespace skerry::store {

Tables::Tables(const std::vector<ObjectPtr>& objects, const std::vector<Backend::Tombstone>& tombstones) {
    index_.reserve(objects.size());
    for (const ObjectPtr& object : objects) {
        auto [row, added] = tables_[object->key.kind].insert(Row{object, false});
        CHECK(added, "a backend loads each key once");
        index_.push_back({object->number(), &*row});
    }
    std::sort(index_.begin(), index_.end(), [](const Entry& a, const Entry& b) { return a.number < b.number; });
    for (const Backend::Tombstone& tombstone : tombstones) {
        if (find(tombstone.key)) continue;
        if (auto old = buried_.find(tombstone.key); old != buried_.end()) {
            if (old->second >= tombstone.number) continue;
            tombstones_.erase(old->second);
        }
        buried_[tombstone.key] = tombstone.number;
        tombstones_[tombstone.number] = tombstone;
    }
}

const Tables::Row* Tables::find(const Key& key) const {
    auto table = tables_.find(key.kind);
    if (table == tables_.end()) return nullptr;
    auto row = table->second.find(ByName::Name{key.project, key.name});
    return row == table->second.end() ? nullptr : &*row;
}

std::vector<ObjectPtr> Tables::list(model::Kind kind, std::optional<std::string_view> project) const {
    std::vector<ObjectPtr> objects;
    auto found = tables_.find(kind);
    if (found == tables_.end()) return objects;
    const Table& table = found->second;
    if (!project) objects.reserve(table.size());
    for (auto row = project ? table.lower_bound(ByName::Name{*project, {}}) : table.begin(); row != table.end(); ++row) {
        if (project && row->object->key.project != *project) break;
        objects.push_back(row->object);
    }
    return objects;
}

std::size_t Tables::count(model::Kind kind) const {
    auto table = tables_.find(kind);
    return table == tables_.end() ? 0 : table->second.size();
}

const Tables::Row& Tables::put(ObjectPtr object) {
    const Number number = object->number();
    CHECK(number > highest(), "numbers become visible in ascending order");
    if (auto buried = buried_.find(object->key); buried != buried_.end()) {
        tombstones_.erase(buried->second);
        buried_.erase(buried);
    }
    Table& table = tables_[object->key.kind];
    auto row = table.find(ByName::Name{object->key.project, object->key.name});
    if (row == table.end()) {
        row = table.insert(Row{std::move(object), false}).first;
    } else {
        strike(row->object->number());
        row->object = std::move(object);
    }
    append(number, &*row);
    return *row;
}

void Tables::erase(const Backend::Tombstone& tombstone) {
    CHECK(tombstone.number > highest(), "numbers become visible in ascending order");
    Table& table = tables_[tombstone.key.kind];
    auto row = table.find(ByName::Name{tombstone.key.project, tombstone.key.name});
    CHECK(row != table.end(), "only what exists is erased");
    strike(row->object->number());
    table.erase(row);
    buried_[tombstone.key] = tombstone.number;
    tombstones_[tombstone.number] = tombstone;
}

void Tables::forget(Number floor) {
    while (!tombstones_.empty() && tombstones_.begin()->first <= floor) {
        buried_.erase(tombstones_.begin()->second.key);
        tombstones_.erase(tombstones_.begin());
    }
}

Number Tables::highest() const {
    Number objects = index_.empty() ? 0 : index_.back().number;
    Number erased = tombstones_.empty() ? 0 : tombstones_.rbegin()->first;
    return std::max(objects, erased);
}

std::size_t Tables::above(Number number) const {
    return std::upper_bound(index_.begin(), index_.end(), number, [](Number n, const Entry& entry) { return n < entry.number; }) -
           index_.begin();
}

void Tables::strike(Number number) {
    std::size_t i = above(number);
    CHECK(i > 0 && index_[i - 1].number == number && index_[i - 1].row, "the index knows every object by its number");
    index_[i - 1].row = nullptr;
    struck_++;
}

void Tables::append(Number number, const Row* row) {
    if (struck_ > 64 && struck_ * 2 > index_.size()) {
        std::erase_if(index_, [](const Entry& entry) { return !entry.row; });
        struck_ = 0;
    }
    index_.push_back({number, row});
}

} // namespace skerry::store
