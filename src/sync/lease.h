#pragma once

#include "base/ids.h"
#include "base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Until when work of policy atMostOnce may run at the child's end of a link (rules F1 to F5). Both ends, as values.
///
///     child                                          parent
///       beat with request 7, sent at s  ───────────►  arrives at a ≥ s
///       holds it until s + length      ◄───────────  grant 7, length: assumes it over at a + length + margin
///
/// The child's clock and the parent's may differ in everything but their speed, and in that by less than the margin (rule F6).
namespace skerry::sync {

/// Rule F4: what a parent adds to the length of a lease before it takes for stopped what ran under it. One percent for clocks
/// that run apart, and two seconds in which the leash ends what has not ended by itself.
inline Duration lease_margin(Duration length) { return length / 100 + 2s; }

inline constexpr Duration least_lease = 1s;
inline constexpr Duration longest_lease = 30 * 24h;

/// One digest for the run of a cell that a lease is for: incarnation of its store and boot of its machine (rule F1).
std::uint64_t lease_holder(IncarnationId, const std::string& boot_id);

/// What a beat asks for.
struct LeaseRequest {
    std::uint32_t number = 0; ///< echoed by the grant; never 0
    /// Earlier openings of the same store, newest first, while the asking process has held no lease: so a parent tells a daemon
    /// that was started again on the same boot from a clone.
    std::vector<IncarnationId> earlier;
    /// One runs at this moment: then nobody else has been given what is the child's, whatever this parent has forgotten.
    bool held = false;
};
inline constexpr std::size_t most_earlier = 4;

/// A request as its parent looks at it.
struct LeaseQuestion {
    LeaseRequest request;
    IncarnationId incarnation; ///< of the asking cell, as its hello said
    std::string boot_id;
    Instant arrived;
};

/// What the parent's store remembers of a child's lease: who holds it, and the longest length in use (rule F4).
struct LeaseNote {
    IncarnationId incarnation;
    std::string boot_id;
    Duration longest{};
    bool operator==(const LeaseNote&) const = default;
};
std::string write_lease_note(const LeaseNote&);
std::optional<LeaseNote> read_lease_note(const std::string& bytes);

/// One child's lease at its parent.
class Granting {
public:
    Granting() = default;
    /// After a restart of the parent: whatever was granted counts as granted at `start` (rule F4).
    Granting(LeaseNote note, Instant start)
        : note_(std::move(note)), over_(start + note_->longest + lease_margin(note_->longest)), given_{{note_->longest, over_}} {}

    struct Terms {
        Duration length{};             ///< of this link
        Instant own_end;               ///< of the granting cell's own lease; never where it has no parent (rule F5)
        std::string why_none;          ///< of the granting cell's own lease, where there is none
        bool child_is_current = false; ///< it holds durably all that it should
        /// Before this, leases of which the granting cell's store knows nothing (it may be a backup) may still run elsewhere: only
        /// who holds one has it renewed.
        Instant fresh_from{};
    };
    struct Answer {
        enum class What : std::uint8_t {
            grant,
            note,   ///< make the note durable first, then ask again
            wait,   ///< ask again when the child is current
            refuse, ///< told to the child, which asks again with its next beats
        } what = What::refuse;
        Duration length{};
        LeaseNote note;
        std::string reason;
    };
    /// `grant` has no effect yet: see `granted`.
    Answer answer(const LeaseQuestion&, const Terms&, Instant now) const;
    void noted(LeaseNote note) { note_ = std::move(note); }
    /// The grant is on its way.
    void granted(const LeaseQuestion&, Duration length);

    /// After this nothing that runs under the lease can run any more; none if that is past, or there never was one.
    std::optional<Instant> over(Instant now) const;
    const std::optional<LeaseNote>& note() const { return note_; }

private:
    bool continues(const LeaseQuestion&) const;

    std::optional<LeaseNote> note_;
    Instant over_{};
    Instant end_{}; ///< of what this process granted
    struct Given {
        Duration length{};
        Instant over;
    };
    static constexpr std::size_t most_given = 16;
    std::vector<Given> given_; ///< what may still run; shorter ones that are over no later are left out
};

/// A child's own lease, over all its connections.
struct HeldLease {
    Instant until{};   ///< the past: none
    Duration length{}; ///< of the last grant
    Instant asked{};   ///< when the beat was sent that the last grant answered
};

} // namespace skerry::sync
