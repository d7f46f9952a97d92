#include "main/claim.h"

#include "drivers/network/bridge_network.h"

#include <utility>

namespace skerry::main {

namespace {

constexpr std::string_view prefix_locks = "/run/skerry.prefix";

/// What was written into a lock by whoever holds it.
std::string holder(const std::string& path) {
    auto text = os::read_file(path, 4096);
    return text && !text->empty() ? "the skerry with state " + *text : "another skerry";
}

Result<std::string> settle_prefix(const Folders& folders, const std::optional<std::string>& given) {
    if (given) TRY_VOID(drivers::network::check_prefix(*given) | during("--prefix"));
    auto kept = os::read_file(folders.prefix(), 64);
    if (!kept && kept.error().code != Code::not_found) return std::unexpected(kept.error());
    if (!kept) return given.value_or("skerry");
    TRY_VOID(drivers::network::check_prefix(*kept) | during(folders.prefix()));
    if (given && *given != *kept)
        return fail(Code::conflict, "--prefix: " + folders.state + " began with prefix " + *kept + ", not " + *given +
                                        "; leave --prefix away, or give this one another --state");
    return *kept;
}

/// A cell's own folders need no search: what is in them is its driver's.
Result<void> check_below(const Folders& folders, const std::string& folder, int depth) {
    constexpr int deepest = 12;
    auto names = os::list(folder);
    if (!names || depth > deepest) return {};
    for (const std::string& name : *names) {
        std::string path = folder + "/" + name;
        if (path == folders.container_run() || path == folders.network_run() || path == folders.run_lock()) continue;
        if (name == "lock") {
            auto held = os::FileLock::take(path);
            if (!held && held.error().code == Code::conflict)
                return fail(Code::conflict,
                            folders.run + " holds the run folder of " + holder(path) + ", which runs: end it first");
        }
        TRY_VOID(check_below(folders, path, depth + 1));
    }
    return {};
}

} // namespace

Result<Claim> Claim::take(const Folders& folders, const std::optional<std::string>& prefix, Parts parts) {
    Claim claim;
    auto lock = [&](const std::string& path, auto refusal) -> Result<void> {
        auto held = os::FileLock::take(path);
        if (!held && held.error().code == Code::conflict) return fail(Code::conflict, refusal());
        claim.locks_.push_back(TRY(std::move(held)));
        return {};
    };
    TRY_VOID(lock(folders.lock(), [&] {
        return "another skerry already uses " + folders.state + " (end it, or give this one its own --state and --run)";
    }));
    TRY_VOID(lock(folders.run_lock(),
                  [&] { return folders.run + " is in use by " + holder(folders.run_lock()) + "; give this one its own --run"; }));
    // Written over, not renamed over: another file would be another lock.
    TRY_VOID(os::truncate(folders.run_lock()));
    TRY_VOID(os::write_file(folders.run_lock(), folders.state));
    claim.prefix_ = TRY(settle_prefix(folders, prefix));
    if (parts == Parts::folders) return claim;
    TRY_VOID(os::mkdirs(std::string(prefix_locks), 0755));
    std::string path = std::string(prefix_locks) + "/" + claim.prefix_;
    TRY_VOID(lock(path, [&] {
        return "prefix " + claim.prefix_ + " is in use by " + holder(path) + "; give this one --prefix NAME of its own";
    }));
    if (!TRY(os::exists(folders.prefix()))) TRY_VOID(os::write_file_atomically(folders.prefix(), claim.prefix_, 0600));
    TRY_VOID(os::truncate(path));
    TRY_VOID(os::write_file(path, folders.state));
    return claim;
}

Result<void> Claim::forget_prefix() const {
    TRY_VOID(os::unlink(std::string(prefix_locks) + "/" + prefix_));
    // Others may have theirs there.
    (void)os::rmdir(std::string(prefix_locks));
    return {};
}

Result<bool> had_node(const Folders& folders) {
    for (const std::string& sign : {folders.prefix(), folders.container(), folders.network()})
        if (TRY(os::exists(sign))) return true;
    return false;
}

Result<void> check_nobody_inside(const Folders& folders) { return check_below(folders, folders.run, 0); }

} // namespace skerry::main
