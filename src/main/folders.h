#pragma once

#include <string>

namespace skerry::main {

/// Where one cell keeps its things.
///
///     <state>/lock                one process at a time
///     <state>/store.db            objects and notes (store/sqlite), with its log store.db-wal
///     <state>/keys/               keys and certificates (trust/key_store)
///     <state>/depot/              bytes of images, by digest
///     <state>/container/          unpacked layers, writable layers, logs (drivers/container)
///     <state>/network/            addresses and ports given to instances (drivers/network)
///     <state>/admin.kubeconfig    an administrator's way in
///     <run>/leash                 socket of the process that ends work whose lease is over (drivers/leash)
///     <run>/…                     sockets, pids, namespaces: on a tmpfs, gone after a reboot
struct Folders {
    std::string state = "/var/lib/skerry";
    std::string run = "/run/skerry";

    std::string lock() const { return state + "/lock"; }
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
