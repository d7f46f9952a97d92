#include "main/machine/claim.h"

#include "base/json.h"
#include "drivers/network/bridge_network.h"
#include "os/mount.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

namespace skerry::main {

namespace {

std::string said_by(const std::string& lock) { return os::read_file(lock, 4096).value_or(""); }

/// A folder or a prefix that belongs to one state at a time. `remedy` follows "give this one".
Result<os::FileLock> take_for(const std::string& state, const std::string& lock, const std::string& title,
                              const std::string& remedy) {
    auto held = os::FileLock::take(lock);
    std::string owner = said_by(lock);
    if (!held && held.error().code == Code::conflict)
        return fail(Code::conflict, title + " is in use by " +
                                        (owner.empty() ? "another skerry" : "the skerry with state " + owner) +
                                        ", which runs; give this one " + remedy);
    if (!held) return held;
    // Whoever does not run may still have containers that do.
    if (!owner.empty() && owner != state && os::exists(owner + "/lock").value_or(true))
        return fail(Code::conflict, title + " belongs to the skerry with state " + owner + "; give this one " + remedy +
                                        ", or remove that one with skerry reset --state " + owner);
    if (owner != state) TRY_VOID(held->say(state));
    return held;
}

/// What is remembered stands; what was given must not be something else.
Result<std::string> settle(const Folders& folders, const char* option, const std::optional<std::string>& given,
                           const std::string& known, const std::string& otherwise) {
    if (known.empty()) return given.value_or(otherwise);
    if (given && *given != known)
        return fail(Code::conflict, std::string(option) + ": " + folders.state + " began with " + known + ", not with " + *given +
                                        "; leave " + option + " out, or give this one a --state of its own");
    return known;
}

std::string claims_file(const Folders& folders) { return folders.state + "/claims.json"; }

/// Ours go, and the folder, unless something else is in it.
Result<void> remove_ours(const std::string& folder, std::vector<std::string>& left) {
    if (!TRY(os::exists(folder))) return {};
    auto names = TRY(os::list(folder));
    // What an interrupted reset is found by goes last.
    std::partition(names.begin(), names.end(), [](const std::string& name) { return name != "lock" && name != "claims.json"; });
    bool empty = true;
    for (const std::string& name : names) {
        std::string path = folder + "/" + name;
        if (!Folders::is_ours(name)) {
            left.push_back(path);
            empty = false;
            continue;
        }
        TRY_VOID(os::umount_beneath(path) | during("mounts"));
        TRY_VOID(os::remove_tree(path) | during(path));
    }
    if (empty && !os::rmdir(folder)) left.push_back(folder);
    return {};
}

} // namespace

Result<Remembered> remembered(const Folders& folders) {
    auto text = os::read_file(claims_file(folders), 64 << 10);
    if (!text && text.error().code == Code::not_found) return Remembered{};
    if (!text) return std::unexpected(text.error());
    Json json = TRY(parse_json(*text) | during(claims_file(folders)));
    Remembered found{.run = std::string(json.text("run")), .prefix = std::string(json.text("prefix"))};
    if (!found.prefix.empty()) TRY_VOID(drivers::network::check_prefix(found.prefix) | during(claims_file(folders)));
    return found;
}

std::string owner_of_prefix(const Claim::Options& options, const std::string& prefix) {
    return said_by(options.prefixes + "/" + prefix);
}

Result<Claim> Claim::take(const Options& options, Parts parts) {
    Claim claim;
    claim.options_ = options;
    if (options.prefix) TRY_VOID(drivers::network::check_prefix(*options.prefix) | during("--prefix"));
    Folders& folders = claim.folders_ = Folders::at(options.state, options.run);
    TRY_VOID(os::mkdirs(folders.state, 0700));
    auto lock = os::FileLock::take(folders.lock());
    if (!lock && lock.error().code == Code::conflict) {
        std::string pid = said_by(folders.lock());
        return fail(Code::conflict, "another skerry already uses " + folders.state + (pid.empty() ? "" : " (pid " + pid + ")") +
                                        ": end it (Ctrl-C, or its service), or give this one a --state of its own");
    }
    if (!lock) return std::unexpected(lock.error());
    (void)lock->say(std::to_string(::getpid())); // for people; a full disk is no reason not to run
    claim.locks_.push_back(std::move(*lock));

    auto known = TRY(remembered(folders));
    auto given_run = options.run ? std::optional(folders.run) : std::nullopt;
    folders.run = TRY(settle(folders, "--run", given_run, known.run, folders.run));
    TRY_VOID(os::mkdirs(folders.run, 0700));
    claim.locks_.push_back(TRY(take_for(folders.state, folders.run_lock(), "run folder " + folders.run, "a --run of its own")));

    Remembered now{.run = folders.run, .prefix = known.prefix};
    if (parts == Parts::folders_and_prefix) {
        now.prefix = TRY(settle(folders, "--prefix", options.prefix, known.prefix, "skerry"));
        TRY_VOID(os::mkdirs(options.prefixes, 0755));
        claim.locks_.push_back(TRY(take_for(folders.state, options.prefixes + "/" + now.prefix, "prefix " + now.prefix,
                                            "a --prefix of its own (a letter, then up to nine letters or digits)")));
    }
    if (!now.prefix.empty()) claim.prefix_ = now.prefix;
    if (now != known) {
        Json json;
        json.set("run", now.run);
        json.set("prefix", now.prefix);
        TRY_VOID(os::write_file_atomically(claims_file(folders), write_json(json), 0600));
    }
    return claim;
}

Result<std::vector<std::string>> Claim::remove() const {
    std::vector<std::string> left;
    std::string prefix = options_.prefixes + "/" + prefix_;
    for (const std::string& folder : {folders_.run, folders_.state}) TRY_VOID(remove_ours(folder, left));
    if (said_by(prefix) == folders_.state) TRY_VOID(os::unlink(prefix));
    (void)os::rmdir(options_.prefixes); // others may have theirs there
    return left;
}

} // namespace skerry::main
