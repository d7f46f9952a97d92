#pragma once

#include <string>

namespace skerry::main {

/// Where one cell keeps its things.
///
///     <state>/lock                one process at a time
///     <state>/prefix              of network devices, rules and cgroups, as its node began with (claim.h)
///     <state>/ballast             room for a full disk (ballast.h)
///     <state>/store.db            objects and notes (store/sqlite), with its log store.db-wal
///     <state>/keys/               keys and certificates (trust/key_store)
///     <state>/depot/              bytes of images, by digest
///     <state>/container/          unpacked layers, writable layers, logs (drivers/container)
///     <state>/network/            addresses and ports given to instances (drivers/network)
///     <state>/admin.kubeconfig    an administrator's way in
///     <run>/lock                  that it is taken, and by which state
///     <run>/leash                 socket of the process that ends work whose lease is over (drivers/leash)
///     <run>/…                     sockets, pids, namespaces: on a tmpfs, gone after a reboot
struct Folders {
    std::string state = "/var/lib/skerry";
    std::string run = "/run/skerry";

    std::string lock() const { return state + "/lock"; }
    std::string run_lock() const { return run + "/lock"; }
    std::string prefix() const { return state + "/prefix"; }
    std::string ballast() const { return state + "/ballast"; }
    std::string store() const { return state + "/store.db"; }
    std::string keys() const { return state + "/keys"; }
    std::string depot() const { return state + "/depot"; }
    std::string container() const { return state + "/container"; }
    std::string container_run() const { return run + "/container"; }
    std::string network() const { return state + "/network"; }
    std::string network_run() const { return run + "/network"; }
    std::string kubeconfig() const { return state + "/admin.kubeconfig"; }
};

} // namespace skerry::main
