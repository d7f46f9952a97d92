#pragma once

#include "base/time.h"
#include "store/store.h"

#include <string_view>

namespace skerry::cell {

/// Compares wanted with found and takes the difference.
///
/// `turn` gets no word of what changed: it reads the store afresh, calls a pure planner, takes steps. It is woken by changes that
/// matter to it, by its period, by itself, and when a child comes into touch or goes out of it, never while another turn runs;
/// first start, change and recovery are the same path. It does not retry: the next turn does. What it starts on workers ends in a
/// `wake`.
class Loop {
public:
    virtual ~Loop() = default;
    virtual std::string_view name() const = 0;
    /// Whether this change may matter. Cheap.
    virtual bool wakes(const store::Change&) const = 0;
    virtual Duration period() const { return 30s; }
    virtual void turn() = 0;
};

} // namespace skerry::cell
