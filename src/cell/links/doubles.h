#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "store/store.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skerry::cell {

/// Finds out that two cells live under one identity: a disk was copied with a cell on it, and both copies were started.
///
/// Both show the same certificate and the same cell's id, but each opened its own copy of the store, so their incarnations differ
/// (rule S2). One cell's incarnations follow each other: what a later one superseded is dead, and does not call again. Worked
/// example: the copy (b) calls while the original (a) is served, and is taken for a restart: a b. The original calls again, and
/// the copy: a b a b. When the original calls a second time after the copy, it lives without doubt, and one of the two must go:
/// it is the later one, from then on and also after our own restart (notes space "double"). A single word of a superseded
/// incarnation proves nothing, since it may have been long on its way.
class Doubles {
public:
    explicit Doubles(store::Store&);

    enum class Verdict {
        serve,
        expel, ///< serve this one; the one served until now is refused from here on
        refuse,
    };
    /// A child showed this at the beginning of a connection.
    Verdict judge(const std::string& tag, CellId, IncarnationId, Instant now);
    /// While a refused one has called lately: what people should do about it.
    std::optional<std::string> trouble(const std::string& tag, Instant now) const;
    /// For the one that is refused.
    static std::string reason(const std::string& tag);

    static constexpr Duration remembered = 10min;

private:
    struct Child {
        CellId cell;
        IncarnationId served;
        std::map<IncarnationId, unsigned> superseded; ///< and how often they called since
        std::vector<IncarnationId> refused;
        std::optional<Instant> refused_at;
    };
    void refuse(const std::string& tag, Child&, IncarnationId, Instant now);

    store::Store& store_;
    std::map<std::string, Child> children_;
};

} // namespace skerry::cell
