#pragma once

#include "base/result.h"
#include "drivers/driver.h"
#include "os/process.h"

#include <string>
#include <string_view>

namespace skerry::drivers::container {

/// What is remembered of one run of an instance; as text it is the driver's handle. Process ids count only within their boot.
struct Record {
    InstanceName name;
    std::string boot;
    std::string image;
    os::ProcessId process; ///< the container's first
    os::ProcessId monitor; ///< conmon
    int stop_signal = 15;
    bool operator==(const Record&) const = default;
};

Handle write_record(const Record&);
Result<Record> parse_record(std::string_view handle);

} // namespace skerry::drivers::container
