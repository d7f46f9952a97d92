#pragma once

#include "cell/cell.h"

namespace skerry::cell {

/// A Site with what crossed its link today and how well that carries, as this cell counts and was told; anything else, and a Site
/// without such a link, as it is. Asked for when somebody looks: numbers that change with each beat are no part of the object, or
/// an idle fleet would write. In a site's own cell also with the conditions that its parent shows.
store::ObjectPtr with_link(Cell&, store::ObjectPtr);

} // namespace skerry::cell
