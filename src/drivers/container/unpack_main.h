#pragma once

#include "base/result.h"
#include "oci/layers/unpack.h"
#include "os/fd.h"

#include <span>
#include <string>

namespace skerry::drivers::container {

/// The name of the verb that `main` gives to `unpack_main`: `skerry internal-unpack …`.
inline constexpr std::string_view unpack_verb = "internal-unpack";

/// Unpacks one layer, open at descriptor 3, in a process of its own: so libarchive's memory is not the daemon's, and a flaw in it
/// or a hostile layer ends there. `args` follow the verb: --into FOLDER --diff-id DIGEST --blob DIGEST. What was unpacked is on
/// the disk when it returns 0.
int unpack_main(std::span<const std::string> args);

/// Runs the above as `program internal-unpack`.
Result<void> unpack_apart(const std::string& program, const os::Fd& layer, const std::string& folder, const std::string& diff_id,
                          const std::string& blob);

} // namespace skerry::drivers::container
