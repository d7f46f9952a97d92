#pragma once

#include "base/result.h"
#include "oci/layers/unpack.h"
#include "os/fd.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

/// The folder a layer is unpacked into, seen as a root: names from an archive resolve below it or fail.
///
/// The kernel does the resolving (openat2 with RESOLVE_IN_ROOT), so a symlink in the layer leads where it would lead in the
/// container, never outside, and `/proc`-like magic links nowhere. Nobody else may write in the folder meanwhile.
class LayerFolder {
public:
    LayerFolder(int folder, Owners owners) : folder_(folder), owners_(owners) {}

    /// Components of a name, without empty ones and "."; none for the root itself. `invalid` for "..", for components over 255
    /// bytes and for more than 256 of them.
    static Result<std::vector<std::string>> split(std::string_view path, std::size_t limit);

    /// The folder that a name's last component is (to be) in; makes missing parents with mode 0755.
    Result<os::Fd> ensure_parent(const std::vector<std::string>& parts);
    /// The last component itself, without following it (O_PATH). `not_found` where it or a parent is missing.
    Result<os::Fd> find(const std::vector<std::string>& parts) const;
    /// The folder of that name, open for reading; symlinks at the end are not followed.
    Result<os::Fd> find_folder(const std::vector<std::string>& parts) const;

    enum class Occupant { none, whiteout, folder, other };
    static Result<Occupant> occupant(int parent, const std::string& name);
    /// Removes a file, a whiteout or a whole folder.
    static Result<void> clear(int parent, const std::string& name);

    /// Hides everything that lower layers have in this folder.
    Result<void> make_opaque(int folder) const;

    int root() const { return folder_; }
    Owners owners() const { return owners_; }

private:
    Result<os::Fd> ensure_child(int parent, const std::string& name) const;

    int folder_;
    Owners owners_;
};

} // namespace skerry::oci
