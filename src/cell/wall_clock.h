#pragma once

#include "env/corrected_clock.h"
#include "model/conditions.h"
#include "store/store.h"

#include <string>

namespace skerry::cell {

/// What a cell keeps and says of its wall clock (rule T1). Nothing that decides looks at it.

/// A quartz is off by a minute or so after this long.
inline constexpr Duration confirm_every = 24h * 7;
/// Whether the parent should be asked for the time.
bool wants_time(const env::CorrectedClock&);

/// Whether this clock may say that something is over: a parent confirmed it, or there is none (`is_root`) and nothing is known
/// against it.
bool knows_time(const env::Clock&, bool is_root);
/// What the ends of certificates and tokens are compared with (rules T1, T3). A clock that nobody vouches for ends nothing; what
/// ended before the mark has ended whatever a clock says.
WallTime judging_time(const env::Clock&, bool is_root);

/// Gives the clock the mark of earlier runs: note "mark" of space "clock".
void restore_mark(env::CorrectedClock&, const store::Store&);
/// The parent signed that it was `time` at `at`; the mark is on its way to disk when this returns.
void confirm_clock(env::CorrectedClock&, store::Store&, WallTime time, Instant at);

/// Sets condition `ClockTrusted`: True once the parent confirmed the time, False while the clock is known to be wrong, else
/// Unknown. The message says in words how far the machine's own clock is off.
void report_clock(const env::Clock&, model::Conditions&);
/// "56 years behind", "3 hours ahead"; empty where the two agree.
std::string words_of_correction(Duration);

} // namespace skerry::cell
