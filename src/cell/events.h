#pragma once

#include "store/store.h"

#include <string>
#include <string_view>

namespace skerry::cell {

enum class Tone { normal, warning };

/// Writes what happened as Event objects whose home is this cell. The same (object, reason, message) again raises a count, at a
/// bounded rate; at most 1,000 events are kept, none longer than a day. Losing one to a crash is fine.
class Events {
public:
    virtual ~Events() = default;
    virtual void record(const store::Object& regarding, Tone, std::string_view reason, std::string_view message) = 0;
    virtual void record(const store::Key& regarding, Uid, Tone, std::string_view reason, std::string_view message) = 0;
};

} // namespace skerry::cell
