#include "main/reset.h"

#include "drivers/container/container_driver.h"
#include "drivers/leash/process_leash.h"
#include "drivers/network/bridge_network.h"
#include "drivers/network/rules.h"
#include "os/cgroup.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/netlink.h"
#include "os/nft.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <unistd.h>

namespace skerry::main {

namespace {

struct NoBlobs final : drivers::container::Blobs {
    Result<std::string> read(const std::string&, std::uint64_t, std::size_t) override {
        return fail(Code::not_found, "no blobs");
    }
    Result<std::string> path(const std::string&) override { return fail(Code::not_found, "no blobs"); }
};

Result<void> remove_all(const Folders& folders, const std::string& prefix) {
    NoBlobs blobs;
    auto containers = TRY(drivers::container::ContainerDriver::open(
        {.state = folders.container(), .run = folders.container_run(), .program = "/proc/self/exe", .cgroup = "/" + prefix},
        blobs));
    // Without a runtime nothing of it can run; what is left on disk goes all the same.
    if (auto probed = containers->probe(); !probed) std::fprintf(stderr, "skerry: %s\n", probed.error().message.c_str());
    TRY_VOID(drivers::leash::ProcessLeash({.run = folders.run, .cgroup = "/" + prefix}).release() | during("leash"));
    TRY_VOID(containers->reset() | during("containers"));
    auto network = TRY(drivers::network::BridgeNetwork::make(
        {.state_folder = folders.network(), .run_folder = folders.network_run(), .prefix = prefix}));
    TRY_VOID(network->reset() | during("networks"));
    for (const std::string& folder : {folders.run, folders.state}) {
        TRY_VOID(os::umount_beneath(folder) | during("mounts"));
        TRY_VOID(os::remove_tree(folder) | during(folder));
    }
    return {};
}

/// Whether anything of ours is on the machine besides the state: what runs stays when somebody deletes only that.
bool is_anything_left(const Folders& folders, const std::string& prefix) {
    if (os::exists(folders.run).value_or(true)) return true;
    if (auto cgroups = os::Cgroups::detect())
        for (auto& folder : cgroups->folders("/" + prefix))
            if (os::exists(folder).value_or(false)) return true;
    drivers::network::Names names{prefix};
    if (auto socket = os::Rtnl::open(); socket && socket->link(names.bridge())) return true;
    auto tables = os::list_nft({"tables"});
    if (!tables) return false;
    return std::ranges::any_of(*tables, [&](const Json& item) {
        const Json* table = item.find("table");
        return table && table->text("name") == names.table();
    });
}

bool ask(const Folders& folders) {
    std::printf("This stops and removes every container, image, key and object of Skerry in %s. Type yes to go on: ",
                folders.state.c_str());
    std::fflush(stdout);
    char answer[16] = {};
    return std::fgets(answer, sizeof answer, stdin) && std::string(answer) == "yes\n";
}

} // namespace

int reset(const Folders& folders, const std::string& prefix, bool yes) {
    auto there = os::exists(folders.state);
    if (there && !*there) {
        if (!is_anything_left(folders, prefix)) {
            std::printf("There is nothing of Skerry's on this machine: no %s, and nothing that runs.\n", folders.state.c_str());
            return 0;
        }
        if (auto made = os::mkdirs(folders.state, 0700); !made) {
            std::fprintf(stderr, "skerry: %s\n", made.error().message.c_str());
            return 1;
        }
    }
    auto lock = os::FileLock::take(folders.lock());
    if (!lock) {
        std::fprintf(stderr, "skerry: %s is in use; end skerry first (Ctrl-C, or its service)\n", folders.state.c_str());
        return 1;
    }
    if (!yes && !ask(folders)) {
        std::printf("Nothing was removed.\n");
        return 1;
    }
    if (auto done = remove_all(folders, prefix); !done) {
        std::fprintf(stderr, "skerry: %s\nskerry: run `skerry reset` again when that is out of the way\n",
                     done.error().message.c_str());
        return 1;
    }
    std::printf("Everything of Skerry's is gone from this machine.\n");
    if (auto forwards = os::read_file("/proc/sys/net/ipv4/ip_forward", 16); forwards && forwards->starts_with("1"))
        std::printf("net.ipv4.ip_forward stays on, since others may rely on it by now; if nobody does: sysctl -w "
                    "net.ipv4.ip_forward=0\n");
    return 0;
}

} // namespace skerry::main
