#pragma once

#include "env/fake_files.h"
#include "env/fake_platter.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace skerry::env {

struct Node {
    bool folder = false;
    Platter bytes;
    /// As programs see it, and as it is on the platter.
    std::map<std::string, std::shared_ptr<Node>> entries;
    std::map<std::string, std::shared_ptr<Node>> durable;
};

using NodePtr = std::shared_ptr<Node>;

/// One entry of a folder set (or, without a node, cleared).
struct EntryChange {
    NodePtr folder;
    std::string name;
    NodePtr node;
};

/// Reaches the platter whole or not at all.
using FolderStep = std::vector<EntryChange>;

NodePtr make_node(bool folder);
std::vector<std::string> split(const std::string& path);

/// The state of a FakeFiles: the tree of files, twice, and what lies between the two.
struct FakeFiles::Disk {
    mutable std::mutex mutex;
    NodePtr root = make_node(true);
    std::vector<FolderStep> pending;
    std::uint64_t capacity = std::uint64_t{1} << 40;
    std::uint64_t used = 0;
    std::uint64_t steps = 0;
    std::uint64_t last_step = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t life = 0; ///< counts power cuts; files opened in an earlier one are dead
    bool dark = false;
    std::map<std::uint64_t, Error> planned_errors;

    Result<void> powered() const {
        if (dark) return fail(Code::unavailable, "the power was cut at step " + std::to_string(last_step));
        return {};
    }

    /// Counts one step. `apply` is what an interrupted step may still have done.
    template<class Apply>
    Result<void> step(Apply apply) {
        TRY_VOID(powered());
        ++steps;
        if (auto planned = planned_errors.find(steps); planned != planned_errors.end()) {
            Error error = planned->second;
            planned_errors.erase(planned);
            return std::unexpected(error);
        }
        if (steps > last_step) {
            dark = true;
            apply();
            return powered();
        }
        apply();
        return {};
    }

    struct Place {
        NodePtr folder;
        std::string name;
        NodePtr node; ///< null where nothing is there yet
    };
    /// Of a path's first `count` parts; null where there is nothing.
    NodePtr find(const std::vector<std::string>& parts, std::size_t count) const;
    Result<Place> place(const std::string& path) const;
    void change(FolderStep);
    void settle_folder(Node*);
    std::uint64_t contents() const;
    std::shared_ptr<Disk> after_cut(Loss, Chance&) const;
};

} // namespace skerry::env
