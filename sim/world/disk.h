#pragma once

#include "env/fake_files.h"
#include "sim/agenda.h"
#include "store/memory/memory_backend.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::sim {

/// What one computer's store is kept on: rows in memory, where a write is whole or not at all; or the real SQLite backend over a
/// disk that tears and loses what was not synced, which costs more time. Both can refuse, fill up and be slow.
class Disk {
public:
    Disk(const Agenda& agenda, env::Chance& chance);
    ~Disk();

    /// SQLite from now on. Before the first opening.
    void use_files();
    bool is_files() const { return files_ != nullptr; }

    std::unique_ptr<store::Backend> open();
    /// kill -9: what the process wrote stays, what it would still have written on its way out does not happen.
    void process_dies();
    /// What was not synced is lost, kept or torn.
    void loses_power();
    /// The process is gone for good.
    void lose_cache();

    /// The n-th write from now on (1: the next) is refused; as rows, without or with effect.
    void refuse_write(std::uint64_t n, store::MemoryDisk::Fate);
    /// Nothing more fits.
    void fill();
    void make_room();
    /// One object that came over a link is damaged where it lies, and found so at the next opening (rule S5); its name. Rows
    /// only.
    std::string damage_replica(env::Chance&);

    /// As a backup has it: everything as of now.
    struct Backup {
        std::shared_ptr<store::MemoryDisk> rows;
        std::shared_ptr<env::FakeFiles> files;
    };
    Backup backup() const;
    /// While no process runs.
    void restore(const Backup&);

    store::MemoryDisk& rows() { return *rows_; }

    Duration slow{}; ///< takes so much longer for each write
    /// Told how long a write takes.
    std::function<void(Duration)> spend;
    /// How long a planted cache keeps writes to itself; zero: an honest disk.
    Duration lies_for{};

private:
    class Backend;
    void swap_files(env::Loss);

    const Agenda& agenda_;
    env::Chance& chance_;
    std::shared_ptr<store::MemoryDisk> rows_;
    std::shared_ptr<env::FakeFiles> files_;
    std::vector<std::shared_ptr<env::FakeFiles>> used_; ///< of processes that have not ended yet
    bool full_ = false;
    std::deque<std::pair<Duration, store::Backend::Batch>> cached_;
};

} // namespace skerry::sim
