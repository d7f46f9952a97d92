#pragma once

#include "base/json.h"
#include "base/result.h"
#include "cli/client/lists.h"
#include "cli/client/session.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::cli {

enum class Next { go_on, stop };

/// One change as the API tells it.
struct WatchEvent {
    std::string_view type; ///< ADDED, MODIFIED or DELETED
    const Json& object;    ///< the object, or a Table of one row
};

struct Watching {
    const model::KindFacts& kind;
    Choice choice;
    bool as_table = false;
    /// Asked for at the beginning and again when the server no longer knows what happened since: gets the whole list.
    std::function<Result<Next>(const Json& list)> listed;
    std::function<Result<Next>(const WatchEvent&)> changed;
    /// None: as long as it takes.
    std::optional<Instant> until;
};

/// Lists, then watches from there on until told to stop: `cancelled` by Ctrl-C, `timeout` past `until`. A watch that ends is
/// taken up at the last version seen; while the server is away it is tried again, with one line to stderr.
Result<void> watch(Session&, Watching);

/// Cuts a stream into lines. Longer ones than 64 MiB are `corrupt`.
class Lines {
public:
    Result<void> add(std::string_view piece, const std::function<Result<void>(std::string_view line)>&);

private:
    std::string begun_;
};

} // namespace skerry::cli
