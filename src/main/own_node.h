#pragma once

#include "depot/depot.h"
#include "drivers/container/container_driver.h"
#include "drivers/leash/process_leash.h"
#include "drivers/logs.h"
#include "drivers/network/bridge_network.h"
#include "main/machine/folders.h"
#include "main/world.h"
#include "node/node.h"

#include <memory>
#include <string>

namespace skerry::main {

/// This machine as a node: its drivers, joined to the loop.
class OwnNode {
public:
    struct Options {
        World& world;
        Folders folders;
        std::string prefix;
        std::string name;
        depot::Depot& depot;
    };
    static Result<std::unique_ptr<OwnNode>> make(Options);
    ~OwnNode();

    /// Without images and prober, which are the daemon's.
    node::Options options();
    drivers::Logs* logs();
    drivers::container::ContainerDriver& containers() { return *containers_; }

private:
    explicit OwnNode(Options options);
    void rotate();
    struct Bytes;

    Options options_;
    node::Machine machine_;
    std::unique_ptr<Bytes> bytes_;
    std::unique_ptr<drivers::container::ContainerDriver> containers_;
    std::unique_ptr<drivers::Leash> leash_;
    std::unique_ptr<drivers::Logs> logs_;
    std::unique_ptr<drivers::network::BridgeNetwork> network_;
    std::unique_ptr<env::Loop::Token> changes_;
    std::unique_ptr<env::Timer> rotation_;
};

} // namespace skerry::main
