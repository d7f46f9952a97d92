#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skerry::main {

/// Where one cell keeps its things.
///
///     <state>/lock                one process at a time
///     <state>/claims.json         what it has of the machine besides (claim.h)
///     <state>/ballast             room for a full disk (ballast.h)
///     <state>/store.db            objects and notes (store/sqlite), with its log store.db-wal
///     <state>/keys/               keys and certificates (trust/key_store)
///     <state>/depot/              bytes of images, by digest
///     <state>/container/          unpacked layers, writable layers, logs (drivers/container)
///     <state>/network/            addresses and ports given to instances (drivers/network)
///     <state>/admin.kubeconfig    an administrator's way in
///     <run>/…                     on a tmpfs, gone after a reboot:
///     <run>/lock                  one process at a time; names the state
///     <run>/leash                 socket of the process that ends work whose lease is over (drivers/leash)
///     <run>/container/            sockets, pids (drivers/container)
///     <run>/network/              namespaces (drivers/network)
struct Folders {
    std::string state = "/var/lib/skerry";
    std::string run = "/run/skerry";

    /// As an operator gave them, made absolute; without `run`, another state has a run folder of its own beside the usual one.
    static Folders at(std::optional<std::string> state, std::optional<std::string> run);

    std::string lock() const { return state + "/lock"; }
    std::string run_lock() const { return run + "/lock"; }
    std::string ballast() const { return state + "/ballast"; }
    std::string store() const { return state + "/store.db"; }
    std::string keys() const { return state + "/keys"; }
    std::string depot() const { return state + "/depot"; }
    std::string container() const { return state + "/container"; }
    std::string container_run() const { return run + "/container"; }
    std::string network() const { return state + "/network"; }
    std::string network_run() const { return run + "/network"; }
    std::string kubeconfig() const { return state + "/admin.kubeconfig"; }

    /// A name in the state's or the run folder that is Skerry's, also as a temporary file's or a log's beside it ("store.db-wal").
    static bool is_ours(std::string_view name);
};

} // namespace skerry::main
