#pragma once

#include "base/result.h"
#include "env/files.h"

#include <string>

namespace skerry::main {

/// Bytes set aside on the state's disk while there is room, and given back once it is full: so that a cell whose disk was filled
/// by something else can still open its store, tell what runs, and have things stopped and deleted.
class Ballast {
public:
    Ballast(env::Files& files, std::string path) : files_(files), path_(std::move(path)) {}

    /// Gives it back where hardly anything is free, makes it where there is plenty. Blocks; called at a start and now and then.
    Result<void> settle();

private:
    env::Files& files_;
    std::string path_;
};

} // namespace skerry::main
