#include "main/machine/reset.h"

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

/// A cell without a node, as a core, has no prefix, and the usual one may be another's.
Result<bool> has_node(const Folders& folders) {
    if (!TRY(remembered(folders)).prefix.empty()) return true;
    return TRY(os::exists(folders.container())) || TRY(os::exists(folders.network()));
}

/// Whether anything of ours is on the machine besides the state: what runs stays when somebody deletes only that.
bool is_anything_left(const Claim::Options& options, const Folders& folders) {
    if (os::exists(folders.run).value_or(true)) return true;
    std::string prefix = options.prefix.value_or("skerry");
    if (auto owner = owner_of_prefix(options, prefix); !owner.empty() && owner != folders.state) return false;
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

int reset(const Claim::Options& options, bool yes) {
    auto refuse = [](const Error& error) {
        std::fprintf(stderr, "skerry: %s\n", error.message.c_str());
        return 1;
    };
    Folders folders = Folders::at(options.state, options.run);
    auto there = os::exists(folders.state);
    if (!there) return refuse(there.error());
    if (!*there && !is_anything_left(options, folders)) {
        std::printf("There is nothing of Skerry's on this machine: no %s, and nothing that runs.\n", folders.state.c_str());
        return 0;
    }
    // Without its state, a cell may have had a node.
    auto node = *there && !options.prefix ? has_node(folders) : Result<bool>(true);
    if (!node) return refuse(node.error());
    if (!yes && !ask(folders)) {
        std::printf("Nothing was removed.\n");
        return 1;
    }
    auto claim = Claim::take(options, *node ? Claim::Parts::folders_and_prefix : Claim::Parts::folders);
    if (!claim) return refuse(claim.error());
    auto done = *node ? remove_instances(claim->folders(), claim->prefix()) : Result<void>{};
    auto left = done ? claim->remove() : std::unexpected(done.error());
    if (!left) {
        refuse(left.error());
        std::fprintf(stderr, "skerry: run `skerry reset` again when that is out of the way\n");
        return 1;
    }
    for (const std::string& path : *left) std::printf("%s is not Skerry's, or in use by others: it stays\n", path.c_str());
    std::printf("Everything of Skerry's is gone from this machine.\n");
    if (auto forwards = os::read_file("/proc/sys/net/ipv4/ip_forward", 16); forwards && forwards->starts_with("1"))
        std::printf("net.ipv4.ip_forward stays on, since others may rely on it by now; if nobody does: sysctl -w "
                    "net.ipv4.ip_forward=0\n");
    return 0;
}

} // namespace skerry::main
