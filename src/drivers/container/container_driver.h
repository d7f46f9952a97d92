#pragma once

#include "base/result.h"
#include "drivers/container/blobs.h"
#include "drivers/container/bundle.h"
#include "drivers/container/exit_watch.h"
#include "drivers/container/image_cache.h"
#include "drivers/container/paths.h"
#include "drivers/container/record.h"
#include "drivers/container/runtime.h"
#include "drivers/driver.h"
#include "os/cgroup.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::drivers::container {

struct Options {
    std::string state;   ///< folder that survives reboots, on a file system that overlayfs accepts as upper layer
    std::string run;     ///< folder on a tmpfs that does not
    std::string program; ///< path of `skerry` itself, for the unpacking process
    std::vector<std::string> runtimes{"runc", "crun"}; ///< in order of preference
    std::string conmon = "conmon";
    std::string cgroup = "/skerry";       ///< the group above all of ours; one name per daemon where several share a machine
    std::string boot_id;                  ///< empty: the machine's; tests pretend a reboot with another
    std::int64_t log_backstop = 64 << 20; ///< conmon cuts a log at this size when nobody rotates
};

/// Runs instances as OCI containers: overlayfs over unpacked layers, runc or crun, conmon.
///
/// The state of everything is on disk and in the kernel, never only in this object: any later process finds it again (`adopt`).
/// What each step leaves, and how it is found after a crash in the middle:
///
///     layer unpacked half      layers/.new-…                     removed by adopt
///     overlay mounted          instances/x/root, no run/i/x      unmounted and removed by adopt
///     conmon and runtime up    the record, no `started`, and     killed and removed by adopt: its program never ran
///                              the process is the runtime's
///     program started          the record, and `started` or a    running; adopted
///                              process that is the program
///     /run emptied by others   the same, no run/i/x              running; adopted. Execs fail until it is started anew
///     machine restarted        record of another boot            lost; `start` begins afresh, `remove` clears
class ContainerDriver : public Driver {
public:
    /// Makes folders; touches nothing else.
    static Result<std::unique_ptr<ContainerDriver>> open(Options options, Blobs& blobs);

    std::string_view name() const override { return "container"; }
    Abilities abilities() const override { return {.suspend = true, .exec = true, .logs = true}; }
    Result<void> probe() override;
    Result<std::vector<Found>> adopt(std::span<const Handle> remembered) override;
    Result<Handle> start(const InstanceSpec&) override;
    Result<Look> look(const Handle&) override;
    Result<void> suspend(const Handle&) override;
    Result<void> resume(const Handle&) override;
    Result<void> ask_to_stop(const Handle&) override;
    Result<void> stop(const Handle&, Duration grace) override;
    Result<void> remove(const Handle&) override;
    Result<ExecOutcome> exec(const Handle&, std::span<const std::string> command, Duration deadline) override;
    void watch(std::function<void(InstanceName)> changed) override { changed_ = std::move(changed); }

    /// Becomes readable when an instance ended. Whoever polls it calls `drain`, which calls what `watch` was given, on the
    /// caller's thread.
    int watch_fd() const { return exits_.number(); }
    void drain();

    /// Unpacks an image ahead of `start`; repeatable. `not_found` where blobs are missing.
    Result<void> prepare_image(const std::string& digest);
    /// Puts unpacked images out of the way that are neither in `kept` nor used by an instance. Images in `kept` may be prepared and
    /// started meanwhile, others not. `conflict` while others are used, or a start has not noted yet what it uses: ask again later.
    Result<void> keep_images(std::span<const std::string> kept);
    /// Deletes what `keep_images` put out of the way, which may take long. Beside anything.
    Result<void> remove_dropped_images() { return images_.remove_dropped(); }

    /// Stops and removes every instance, image and log of this driver on the machine.
    Result<void> reset();

    const Paths& paths() const { return paths_; }
    /// Which runtime the probe chose; empty before.
    std::string runtime_program() const { return runtime_ ? runtime_->program() : ""; }

private:
    ContainerDriver(Options options, Blobs& blobs, os::Cgroups cgroups, ExitWatch exits, std::string boot, oci::Platform host);

    std::string group(std::string_view name) const { return options_.cgroup + "/" + std::string(name); }
    Result<const Runtime*> runtime() const;
    Result<Record> stored(const std::string& name) const;
    bool is_this_boot(const Record& record) const { return record.boot == boot_; }
    Result<bool> was_started(const Record& record) const;
    Result<void> mark_started(const std::string& name) const;
    Result<Handle> start_afresh(const InstanceSpec& spec);
    Result<void> mount_root(const std::string& name, const PreparedImage& image);
    Result<oci::ImageConfig> write_bundle(const InstanceSpec& spec, const PreparedImage& image);
    Result<Look> look_at(const Record& record);
    void add_end(const Record& record, Look& look);
    bool ran_out_of_memory(const std::string& name);
    /// Kills and frees all that belongs to a name, but its logs. Nothing there is fine.
    Result<void> clear(const std::string& name);

    Options options_;
    Paths paths_;
    os::Cgroups cgroups_;
    ExitWatch exits_;
    std::string boot_;
    oci::Platform host_;
    Surroundings surroundings_;
    ImageCache images_;
    std::optional<Runtime> runtime_;
    std::function<void(InstanceName)> changed_;
};

} // namespace skerry::drivers::container
