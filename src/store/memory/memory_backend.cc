#include "store/memory/memory_backend.h"

namespace skerry::store {

MemoryDisk::Fate MemoryDisk::fate_of(const Backend::Batch& batch) {
    if (crash_in_ > 0 && --crash_in_ == 0) return crash_fate_;
    return hook_ ? hook_(batch) : Fate::written;
}

void MemoryDisk::apply(const Backend::Batch& batch) {
    writes_++;
    made_ = true;
    for (const auto& tombstone : batch.erased) {
        objects_.erase(tombstone.key);
        damaged_.erase(tombstone.key);
        tombstones_[tombstone.key] = tombstone;
    }
    for (const Key& key : batch.dropped) {
        objects_.erase(key);
        damaged_.erase(key);
    }
    for (const ObjectPtr& object : batch.put) {
        tombstones_.erase(object->key);
        damaged_.erase(object->key);
        objects_[object->key] = object;
    }
    for (const auto& note : batch.notes) {
        if (note.bytes)
            notes_[{note.space, note.key}] = *note.bytes;
        else
            notes_.erase({note.space, note.key});
    }
    if (batch.open) incarnations_.push_back(*batch.open);
    if (!incarnations_.empty()) incarnations_.back().head = batch.head;
    if (batch.floor > floor_) {
        floor_ = batch.floor;
        std::erase_if(tombstones_, [this](const auto& entry) { return entry.second.number <= floor_; });
    }
}

std::vector<ObjectPtr> MemoryDisk::objects() const {
    std::vector<ObjectPtr> list;
    for (const auto& [key, object] : objects_) list.push_back(object);
    return list;
}

Result<Backend::Loaded> MemoryBackend::load() {
    user_ = ++disk_->user_;
    dead_ = false;
    Loaded loaded;
    loaded.format = disk_->made_ ? format : 0;
    for (const auto& [key, object] : disk_->objects_) {
        if (disk_->damaged_.contains(key))
            loaded.damaged.push_back(key.text()), loaded.missing.push_back(key);
        else
            loaded.objects.push_back(object);
    }
    for (const auto& [key, tombstone] : disk_->tombstones_) loaded.tombstones.push_back(tombstone);
    for (const auto& [name, bytes] : disk_->notes_) loaded.notes.push_back({name.first, name.second, bytes});
    loaded.incarnations = disk_->incarnations_;
    loaded.floor = disk_->floor_;
    return loaded;
}

namespace {

/// In order of keys.
std::string place_of(const Key& key) { return static_cast<char>(key.kind) + key.project + '\0' + key.name; }

} // namespace

Result<Backend::Rows> MemoryBackend::read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) {
    if (dead_ || user_ != disk_->user_)
        return fail(Code::unavailable, "the disk in memory is dead for this cell: open the store again");
    Rows rows;
    std::size_t bytes = 0;
    for (const auto& [key, object] : disk_->objects_) {
        if (place_of(key) <= from) continue;
        if (rows.rows.size() >= most_rows || bytes >= most_bytes) return rows;
        rows.next = place_of(key);
        rows.rows.push_back({key, disk_->damaged_.contains(key) ? nullptr : object, false});
        bytes += object->wish.bytes->size();
    }
    rows.next.clear();
    return rows;
}

Result<void> MemoryBackend::write(const Batch& batch) {
    if (dead_ || user_ != disk_->user_)
        return fail(Code::unavailable, "the disk in memory is dead for this cell: open the store again");
    MemoryDisk::Fate fate = disk_->fate_of(batch);
    if (fate != MemoryDisk::Fate::lost) disk_->apply(batch);
    if (fate == MemoryDisk::Fate::written) return {};
    dead_ = true;
    return fail(Code::unavailable, "the disk in memory died");
}

} // namespace skerry::store
