#pragma once

#include "base/result.h"
#include "main/machine/folders.h"
#include "os/files.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// What a cell has of its machine for itself: two cells that shared any of it would take each other's containers, links and rules
/// away, also while one of them does not run, since its containers do.
///
///     <state>/lock              the state: one process at a time
///     <state>/claims.json       the run folder and the prefix that it began with, since what runs is found again by them
///     <run>/lock                what ends with the machine; names the state that it belongs to
///     /run/skerry.prefix/NAME   links, rules and groups of that prefix; names the state that they belong to. Nodes only.
///
/// Locks end with the process, however it ends. What a lock's file says stays until the cell is reset or the machine restarts.
class Claim {
public:
    /// As an operator gave it; what is not given is as the state remembers it, or the default.
    struct Options {
        std::optional<std::string> state, run, prefix;
        std::string prefixes = "/run/skerry.prefix"; ///< folder of the locks of prefixes; tests have their own
    };
    enum class Parts : std::uint8_t { folders, folders_and_prefix };

    /// Makes the folders where there are none. `conflict` says who has it and the way out.
    static Result<Claim> take(const Options&, Parts);

    const Folders& folders() const { return folders_; }
    const std::string& prefix() const { return prefix_; }

    /// Leaves no trace of the prefix, and of its folders none that is Skerry's; the locks hold until the end. Returns what is not
    /// Skerry's and was left in them.
    Result<std::vector<std::string>> remove() const;

private:
    Options options_;
    Folders folders_;
    std::string prefix_ = "skerry";
    std::vector<os::FileLock> locks_;
};

/// What a state remembers of where it is.
struct Remembered {
    std::string run, prefix; ///< empty: none
    bool operator==(const Remembered&) const = default;
};
Result<Remembered> remembered(const Folders&);

/// The state whose links, rules and groups have this prefix; empty: nobody's that is known.
std::string owner_of_prefix(const Claim::Options&, const std::string& prefix);

} // namespace skerry::main
