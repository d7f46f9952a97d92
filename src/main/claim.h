#pragma once

#include "base/result.h"
#include "main/folders.h"
#include "os/files.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// What a cell has of its machine for itself while it runs or is reset: two at once would take each other's things away.
///
///     <state>/lock              the state: one process at a time
///     <run>/lock                what belongs to it and ends with the machine
///     /run/skerry.prefix/NAME   links, rules and groups of that prefix; names the state that they belong to. Nodes only.
///
/// Locks end with the process, however it ends.
class Claim {
public:
    enum class Parts : std::uint8_t { folders, folders_and_prefix };

    /// `conflict` names who has it, and what to give instead. `prefix`: as given by the user; the state keeps the one that its
    /// node began with, since links and groups are found by it again, and refuses another.
    static Result<Claim> take(const Folders&, const std::optional<std::string>& prefix, Parts);

    /// As given, or remembered, or "skerry".
    const std::string& prefix() const { return prefix_; }

    /// Leaves no trace of the prefix; the locks still hold until the end.
    Result<void> forget_prefix() const;

private:
    std::string prefix_;
    std::vector<os::FileLock> locks_;
};

/// The state remembers a prefix, or a node left its folders there.
Result<bool> had_node(const Folders&);

/// `conflict` where another cell that runs keeps its run folder inside this one's.
Result<void> check_nobody_inside(const Folders&);

} // namespace skerry::main
