#pragma once

#include "sim/agenda.h"
#include "store/memory/memory_backend.h"

#include <deque>
#include <memory>

namespace skerry::sim {

/// The rows of one computer as its store uses them. Honest, or with a planted bug: a cache that says "durable" and forgets the
/// last writes when the process dies.
class Disk {
public:
    explicit Disk(const Agenda& agenda) : agenda_(agenda) {}

    std::unique_ptr<store::Backend> open();
    /// The process died.
    void lose_cache() { cached_.clear(); }
    store::MemoryDisk& rows() { return *rows_; }

    /// How long a planted cache keeps writes to itself; zero: an honest disk.
    Duration lies_for{};

private:
    class Backend;
    const Agenda& agenda_;
    std::shared_ptr<store::MemoryDisk> rows_ = std::make_shared<store::MemoryDisk>();
    std::deque<std::pair<Duration, store::Backend::Batch>> cached_;
};

} // namespace skerry::sim
