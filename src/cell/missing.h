#pragma once

#include "store/store.h"

#include <cstdint>
#include <optional>

/// What a cell does about objects that its disk lost (rule S5): those whose rows were damaged at the start. Whatever follows from
/// an object's absence must not be taken to follow while it is merely missing.
///
/// Worked example: one machine runs app `till`; the row of Allocation till.pos.here is damaged. At the start its Instance hangs on
/// nothing, and stays. The fleet sees no Allocation where one is wanted and makes it again, with the uid that the Instance names:
/// it is the same one, so nothing restarts.
namespace skerry::cell {

/// Wishes are missing from which loops conclude what is unwanted: what hangs on them is not, so nothing is removed meanwhile (rule
/// H3). They come back from the parent, or are made again here, or somebody deletes them by name. Nothing is removed for want of
/// an Instance, a Secret, an Image …
bool lacks_wishes(const store::Store&);
/// Anything but Events is missing. Neighbours keep what they have of it.
bool lacks_objects(const store::Store&);

/// What is still known of an object that is missing: an App from its Revisions, an Allocation from its Instances. Who makes it again
/// goes on from there, so that it is the same object to all who refer to it. None: it is not missing, or nothing refers to it.
struct Remains {
    Uid uid;
    std::uint32_t generation = 0; ///< the highest known
};
std::optional<Remains> remains_of(const store::Store&, const store::Key&);

} // namespace skerry::cell
