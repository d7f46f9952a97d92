#pragma once

#include "store/backend.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace skerry::store {

/// Rows that outlive the cell that wrote them, so that a simulated cell can crash and be opened again. One cell uses it at a
/// time; loading it again shuts out whoever used it before.
class MemoryDisk {
public:
    /// What becomes of a batch.
    enum class Fate : std::uint8_t {
        written,
        lost, ///< the disk dies before it: the write fails, and none of it is found later
        kept, ///< the disk dies behind it: the write fails, and all of it is found later
    };

    /// The `n`-th write from now on (1: the next) meets this fate.
    void crash_on_write(std::uint64_t n, Fate fate) { crash_in_ = n, crash_fate_ = fate; }
    /// Asked for every batch, on the thread that writes it. Null: all are written.
    void decide(std::function<Fate(const Backend::Batch&)> hook) { hook_ = std::move(hook); }
    /// The object's row no longer matches its checksum (rule S5). Nothing if there is no such object.
    void damage(const Key& key) { damaged_[key] = true; }
    /// What lies there, damaged or not.
    std::vector<ObjectPtr> objects() const;
    /// The object's row is gone, and nobody knows. Nothing if there is no such object.
    void lose(const Key& key) { objects_.erase(key); }
    bool is_sound(const Key& key) const { return objects_.contains(key) && !damaged_.contains(key); }
    /// Batches that reached the disk.
    std::uint64_t writes() const { return writes_; }

private:
    friend class MemoryBackend;

    Fate fate_of(const Backend::Batch&);
    void apply(const Backend::Batch&);

    bool made_ = false;
    std::map<Key, ObjectPtr> objects_;
    std::map<Key, Backend::Tombstone> tombstones_;
    std::map<std::pair<std::string, std::string>, std::string> notes_;
    std::vector<Backend::Incarnation> incarnations_;
    Number floor_ = 0;
    std::map<Key, bool> damaged_;

    std::uint64_t user_ = 0; ///< which backend may write
    std::uint64_t writes_ = 0;
    std::uint64_t crash_in_ = 0;
    Fate crash_fate_ = Fate::written;
    std::function<Fate(const Backend::Batch&)> hook_;
};

/// Keeps a store's rows on a `MemoryDisk`.
class MemoryBackend final : public Backend {
public:
    explicit MemoryBackend(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

    Result<Loaded> load() override;
    Result<void> write(const Batch&) override;
    Result<Rows> read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) override;

private:
    std::shared_ptr<MemoryDisk> disk_;
    std::uint64_t user_ = 0;
    bool dead_ = false;
};

} // namespace skerry::store
