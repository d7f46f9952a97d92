#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace skerry::drivers::container {

/// Where everything of this driver lives.
///
///     STATE/                          survives reboots; what is costly to make again, or worth reading later
///     ├── images/<sha256>             a prepared image: its layers and config, as JSON. Written before its layers are made,
///     │                               so that no layer is ever without somebody who names it
///     ├── layers/<sha256 of diff>/    one unpacked layer, complete by its name alone (renamed into place after syncfs)
///     ├── layers/.new-…/              being unpacked; a leftover of that name is removed at `adopt`
///     ├── layers/.gone-…/             of no use to anybody any more, and being deleted
///     ├── instances/<name>/
///     │   ├── record                  the handle: pids with start times, boot id. Written before the container's program runs
///     │   ├── started                 its time is when the program was started
///     │   ├── root/                   where the overlay is mounted
///     │   └── upper/ work/            what the instance wrote; fresh at each start
///     └── logs/<name>/                stays after the instance is removed, until rotation takes it
///         ├── current current.1 …     this run, and its rotated parts (1 is the newest)
///         └── previous previous.1 …   the run before
///
///     RUN/                            in memory; gone after a reboot, which is how a reboot is told from a restart of ours
///     ├── runtime/                    state of runc or crun
///     ├── exits/<name>                exit code, written by conmon; watched
///     └── i/<name>/                   the OCI bundle, and conmon's folder
///         ├── config.json hosts resolv.conf hostname
///         └── pid monitor.pid ctl persist/oom …
struct Paths {
    std::string state;
    std::string run;

    std::string images() const { return state + "/images"; }
    std::string layers() const { return state + "/layers"; }
    std::string instances() const { return state + "/instances"; }
    std::string logs() const { return state + "/logs"; }
    std::string runtime_root() const { return run + "/runtime"; }
    std::string exits() const { return run + "/exits"; }
    std::string bundles() const { return run + "/i"; }

    std::string instance(std::string_view name) const { return instances() + "/" + std::string(name); }
    std::string record(std::string_view name) const { return instance(name) + "/record"; }
    std::string started(std::string_view name) const { return instance(name) + "/started"; }
    std::string root(std::string_view name) const { return instance(name) + "/root"; }
    std::string log_folder(std::string_view name) const { return logs() + "/" + std::string(name); }
    std::string exit_file(std::string_view name) const { return exits() + "/" + std::string(name); }
    std::string bundle(std::string_view name) const { return bundles() + "/" + std::string(name); }

    /// Makes the folders that are always there.
    Result<void> ensure() const;
};

/// Instance names become folder names, container ids and cgroups: 1 to 64 of a-z, 0-9 and inner dashes.
Result<void> check_name(std::string_view name);

} // namespace skerry::drivers::container
