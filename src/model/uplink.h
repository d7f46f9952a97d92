#pragma once

#include "base/time.h"

#include <cstdint>

namespace skerry::model {

class Uplink;

/// Time between two beats on this way: as it says, else by its profile (lan 1 s, dsl 15 s, cellular 60 s, satellite 300 s).
Duration beat_of(const Uplink&);

/// What one beat and its acknowledgement cost on the way, with the headers of IPv4, TCP, TLS and WebSocket.
inline constexpr std::uint64_t beat_bytes = 160;
/// What a day without anything else takes.
std::uint64_t beats_of_a_day(const Uplink&);

} // namespace skerry::model
