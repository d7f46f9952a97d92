#pragma once

#include "base/time.h"

namespace skerry::model {

class Uplink;

/// Time between two beats on this way: as it says, else by its profile (lan 1 s, dsl 15 s, cellular 60 s, satellite 300 s).
Duration beat_of(const Uplink&);

} // namespace skerry::model
