#pragma once

#include "base/result.h"
#include "drivers/driver.h"
#include "model/node_port.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::node {

/// Where notes of instances live in the store, keyed by uid.
inline constexpr std::string_view note_space = "handle";

/// What a node remembers of an instance over its own restarts.
struct Note {
    std::string runtime;
    drivers::Handle handle; ///< empty: asked to start, answer unknown
    std::string hash;       ///< of the component that was started (rule A6)
    std::string revision;
    std::string digest;  ///< of its image
    std::string started; ///< RFC 3339, for people
    std::uint32_t restarts = 0;
    bool stopping = false; ///< asked to end by us, so that its end counts as no restart, also if we crash meanwhile
    std::vector<model::NodePort> ports;
    Duration stop_grace = 10s; ///< of what was started; its object may be gone when it is to end
    std::string project, name; ///< of its object, for events once that is gone
    bool once = false;         ///< runs under a lease (policy atMostOnce)

    std::string bytes() const;
    static Result<Note> parse(std::string_view bytes);
};

} // namespace skerry::node
