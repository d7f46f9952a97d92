#include "drivers/driver.h"

#include "base/check.h"

namespace skerry::drivers {

std::string_view name(Phase phase) {
    switch (phase) {
    case Phase::created:
        return "created";
    case Phase::running:
        return "running";
    case Phase::suspended:
        return "suspended";
    case Phase::exited:
        return "exited";
    case Phase::lost:
        return "lost";
    }
    check_failed(__FILE__, __LINE__, "a known phase");
}

} // namespace skerry::drivers
