#pragma once

#include "depot/depot.h"
#include "depot/plan.h"
#include "oci/platform.h"

#include <set>
#include <vector>

namespace skerry::main {

/// Blobs that this image lacks on this platform; or the documents that must come first, before the rest can be known. Blocks.
Result<std::vector<depot::Want>> missing_parts(const depot::Depot&, const depot::Digest& image, const oci::Platform& host);

/// Adds the image and everything it refers to, on any platform, as far as its documents are here. Blocks.
void add_parts(const depot::Depot&, const depot::Digest& image, std::set<depot::Digest>& all);

} // namespace skerry::main
