#pragma once

#include "store/store.h"

#include <deque>
#include <memory>
#include <vector>

namespace skerry::store {

/// Who is told of changes, and the changes that are yet to be told.
///
/// A watcher may cause further changes, add watches and drop any watch, its own too. Changes that it causes are told after those
/// that are already waiting, so every watcher sees ascending numbers.
class Watches {
public:
    /// The watch sees changes above `after` only: what is visible when it begins it can read.
    std::unique_ptr<Watch> add(std::function<void(const Change&)>, Number after);
    void tell(std::vector<Change>);
    /// Whether a watcher is being called.
    bool telling() const { return telling_; }

private:
    struct Watcher;
    class Token;

    std::vector<std::shared_ptr<Watcher>> watchers_;
    std::deque<Change> waiting_;
    bool telling_ = false;
};

} // namespace skerry::store
