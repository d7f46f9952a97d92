#include "main/own_node.h"

#include "base/log.h"
#include "drivers/container/container_logs.h"
#include "main/machine/machine.h"

namespace skerry::main {

namespace {
constexpr Duration rotate_period = 60s;
constexpr Duration mend_period = 2s;
} // namespace

/// The container driver's view of the depot.
struct OwnNode::Bytes final : drivers::container::Blobs {
    explicit Bytes(depot::Depot& depot) : depot(depot) {}
    Result<std::string> read(const std::string& digest, std::uint64_t offset, std::size_t size) override {
        return depot.read(TRY(depot::Digest::parse(digest)), offset, size);
    }
    Result<std::string> path(const std::string& digest) override { return depot.path(TRY(depot::Digest::parse(digest))); }
    depot::Depot& depot;
};

OwnNode::OwnNode(Options options) : options_(std::move(options)), bytes_(std::make_unique<Bytes>(options_.depot)) {}
OwnNode::~OwnNode() = default;

Result<std::unique_ptr<OwnNode>> OwnNode::make(Options options) {
    std::unique_ptr<OwnNode> node(new OwnNode(std::move(options)));
    auto& given = node->options_;
    node->machine_ = TRY(measure_machine(given.prefix));
    node->containers_ = TRY(drivers::container::ContainerDriver::open({.state = given.folders.container(),
                                                                       .run = given.folders.container_run(),
                                                                       .program = "/proc/self/exe",
                                                                       .cgroup = "/" + given.prefix,
                                                                       .boot_id = given.world.clock.boot_id()},
                                                                      *node->bytes_));
    node->network_ = TRY(drivers::network::BridgeNetwork::make(
        {.state_folder = given.folders.network(), .run_folder = given.folders.network_run(), .prefix = given.prefix}));
    node->leash_ = std::make_unique<drivers::leash::ProcessLeash>(
        drivers::leash::ProcessLeash::Options{.run = given.folders.run, .cgroup = "/" + given.prefix});
    node->logs_ = std::make_unique<drivers::container::ContainerLogs>(node->containers_->paths());
    OwnNode* raw = node.get();
    node->changes_ = given.world.loop.on_readable(node->containers_->watch_fd(), [raw] { raw->containers_->drain(); });
    node->rotate();
    return node;
}

void OwnNode::rotate() {
    rotation_ = options_.world.timers.after(rotate_period, [this] {
        options_.world.workers.run(
            "rotate", [this] { logs_->rotate(); }, [this] { rotate(); });
    });
}

node::Options OwnNode::options() {
    node::Options options{
        .name = options_.name, .machine = machine_, .drivers = {{"container", containers_.get()}}, .network = network_.get()};
    options.leash = leash_.get();
    options.mend_period = mend_period;
    options.post_from_any_thread = [this](std::function<void()> call) { options_.world.loop.post(std::move(call)); };
    return options;
}

drivers::Logs* OwnNode::logs() { return logs_.get(); }

} // namespace skerry::main
