#pragma once

#include "base/time.h"
#include "drivers/driver.h"
#include "node/note.h"
#include "plan/instance.h"
#include "store/store.h"

#include <optional>
#include <string>

namespace skerry::node {

/// Health as checked so far, since the last start.
struct HealthState {
    bool ok = false;
    std::uint32_t failures = 0; ///< in a row, counted once per period
    Instant next{};
    Instant counted{};
    std::string last_error;
};

/// One instance in the memory of its node: what the drivers are known to hold, and what is under way.
struct Run {
    Uid uid;
    store::Key key; ///< of its object, which may be gone
    Note note;
    bool noted = false; ///< the store has a note, so there is something to forget
    plan::Presence presence = plan::Presence::nothing;
    bool connected = false;
    std::optional<drivers::Attachment> attachment;
    std::int64_t pid = 0;
    std::string remark; ///< of the driver, for a human's eye

    /// It was asked to end and has until then; looked at meanwhile.
    struct Ending {
        Instant until;
        bool counts = false; ///< as a restart
        bool over = false;   ///< seen to have ended
    };
    std::optional<Ending> ending;
    bool is_stopping() const { return ending || doing == "Stopping"; }
    /// An earlier asking, of which nothing more is known, explains an end until then.
    Instant asked_until{};

    bool busy = false; ///< a step is under way on its lane
    std::string doing; ///< Starting, Stopping, Checking, Cleaning: what, for the phase and for how many do it at once
    plan::BackOff back_off;
    plan::BackOff image_back_off;
    Instant retry{};                ///< after a step that failed and has no back-off of its own
    std::optional<Instant> started; ///< of the present run, as far as this process knows
    Instant next_look{};
    HealthState health;
    std::optional<Instant> once_since; ///< runs since before its policy became atMostOnce, and has no lease yet

    std::string image_asked; ///< digest under way
    std::string image_ready; ///< digest complete on this machine

    /// What happened last, kept until the instance runs again.
    std::optional<int> exit_code;
    std::string reason;
    std::string message;
};

} // namespace skerry::node
