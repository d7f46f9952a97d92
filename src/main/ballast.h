#pragma once

#include "base/result.h"
#include "env/files.h"

#include <string>

namespace skerry::main {

/// Bytes set aside on the state's disk while there is room, and given back once it is full: so that a cell whose disk was filled
/// by something else can still open its store, tell what runs, and have things deleted.
class Ballast {
public:
    Ballast(env::Files& files, std::string path) : files_(files), path_(std::move(path)) {}

    /// At a start: given back where hardly anything is free, made where there is plenty.
    Result<void> settle();
    /// Gives it back; false where there is none.
    bool release();

private:
    env::Files& files_;
    std::string path_;
};

} // namespace skerry::main
