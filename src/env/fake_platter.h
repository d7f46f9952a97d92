#pragma once

#include "env/env.h"
#include "env/fake_files.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::env {

/// One file's bytes on a fake disk: what programs see, what the last sync made durable, and the writes between the two.
class Platter {
public:
    Platter() = default;
    /// All of it durable.
    explicit Platter(std::string bytes) : seen_(bytes), durable_(std::move(bytes)) {}

    const std::string& seen() const { return seen_; }
    void write(std::uint64_t offset, std::string_view bytes);
    void truncate(std::uint64_t size);
    void sync();
    void flip_bit(std::uint64_t bit);

    /// What is found after a power cut. With `Loss::chance`, a page cache that writes back in any order: each sector holds its
    /// state after some of the unsynced writes, at any of its ages, and the file has the size it had after some of them.
    std::string after_cut(Loss, Chance&) const;

private:
    static constexpr std::size_t sector = 512;
    /// A write, or with no bytes a change of size to `offset`.
    struct Change {
        std::uint64_t offset = 0;
        std::string bytes;
        bool resize = false;
    };
    static void apply(std::string& content, const Change&, std::size_t prefix = std::string::npos);

    std::string some_writes(Chance&) const;
    std::string torn_last(Chance&) const;
    std::string scattered(Chance&) const;

    std::string seen_;
    std::string durable_;
    std::vector<Change> pending_;
};

} // namespace skerry::env
