#include "main/reset.h"

#include "drivers/container/container_driver.h"
#include "drivers/leash/process_leash.h"
#include "drivers/network/bridge_network.h"
#include "main/claim.h"
#include "os/files.h"
#include "os/mount.h"

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

Result<void> remove_instances(const Folders& folders, const std::string& prefix) {
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
    return network->reset() | during("networks");
}

Result<void> remove_folders(const Folders& folders) {
    for (const std::string& folder : {folders.run, folders.state}) {
        TRY_VOID(os::umount_beneath(folder) | during("mounts"));
        TRY_VOID(os::remove_tree(folder) | during(folder));
    }
    return {};
}

bool ask(const Folders& folders) {
    std::printf("This stops and removes every container, image, key and object of Skerry in %s. Type yes to go on: ",
                folders.state.c_str());
    std::fflush(stdout);
    char answer[16] = {};
    return std::fgets(answer, sizeof answer, stdin) && std::string(answer) == "yes\n";
}

} // namespace

int reset(const Folders& folders, const std::optional<std::string>& prefix, bool yes) {
    auto refuse = [](const Error& error) {
        std::fprintf(stderr, "skerry: %s\n", error.message.c_str());
        return 1;
    };
    auto there = os::exists(folders.state);
    if (there && !*there) {
        std::printf("There is nothing in %s.\n", folders.state.c_str());
        return 0;
    }
    auto node = had_node(folders);
    if (!node) return refuse(node.error());
    if (auto made = os::mkdirs(folders.run, 0700); !made) return refuse(made.error());
    auto claim = Claim::take(folders, prefix, *node ? Claim::Parts::folders_and_prefix : Claim::Parts::folders);
    if (!claim) return refuse(claim.error());
    if (auto alone = check_nobody_inside(folders); !alone) return refuse(alone.error());
    if (!yes && !ask(folders)) {
        std::printf("Nothing was removed.\n");
        return 1;
    }
    auto done = *node ? remove_instances(folders, claim->prefix()) : Result<void>{};
    if (done) done = remove_folders(folders);
    if (done && *node) done = claim->forget_prefix();
    if (!done) {
        std::fprintf(stderr, "skerry: %s\nskerry: run `skerry reset` again when that is out of the way\n",
                     done.error().message.c_str());
        return 1;
    }
    std::printf("Everything of Skerry's is gone from this machine.\n");
    return 0;
}

} // namespace skerry::main
