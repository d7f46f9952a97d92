#pragma once

namespace skerry::main {

/// One heap for all threads: the workers are few and seldom busy, and each heap of its own would keep what it once held. Before
/// any thread.
void keep_memory_small();

/// Gives the machine back what starting needed and idling does not: freed heap, and the mapped pages of code and constants.
/// Those are the program's file, so nothing is lost: what runs again comes back from the page cache by minor faults, some tens
/// of microseconds in all. Called once things have settled.
void give_back_memory();

} // namespace skerry::main
