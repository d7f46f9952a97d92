#pragma once

#include "base/result.h"
#include "drivers/leash.h"
#include "os/cgroup.h"
#include "os/fd.h"

#include <optional>
#include <string>

namespace skerry::drivers::leash {

/// The leash of a real machine: a process of a few pages (program/leash.cc), which the first `hold` starts from bytes within this
/// program, and which later daemons of the same boot find at its socket.
class ProcessLeash final : public Leash {
public:
    struct Options {
        std::string run;    ///< folder on a tmpfs, for its socket
        std::string cgroup; ///< the group above all instances, as the container driver has it
    };
    explicit ProcessLeash(Options options) : options_(std::move(options)) {}

    Result<std::optional<Hold>> recall() override;
    Result<void> hold(const Hold&) override;
    Result<void> release() override;

private:
    std::string socket() const { return options_.run + "/leash"; }
    Result<std::string> message(const Hold&) const;
    /// To the leash that is there, with what it holds; `not_found` where there is none.
    Result<std::string> connect();
    Result<void> start();
    Result<void> tell(const std::string& message);

    Options options_;
    os::Fd peer_;
};

} // namespace skerry::drivers::leash
