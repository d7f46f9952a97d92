#pragma once

#include "node/images.h"
#include "sim/world/computer.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry::sim {

class Fleet;

/// Bytes of images on one computer, fetched from the parent, which fetches from its own: at a rate, while the path carries, and
/// going on where it stopped. The core has all bytes.
class SimImages final : public node::Images {
public:
    SimImages(Fleet& fleet, Computer& computer) : fleet_(fleet), computer_(computer) {}

    void ensure(const std::string& digest, std::function<void(Result<void>)> done) override;
    std::string progress(const std::string& digest) override;
    void keep(const std::set<std::string>& digests) override;

    static std::int64_t size_of(const std::string& digest);

private:
    std::int64_t take(const std::string& digest, std::int64_t most);
    void fetch_on(const std::string& digest);
    bool reaches(const Computer&, const std::string& digest) const;

    Fleet& fleet_;
    Computer& computer_;
    std::map<std::string, std::vector<std::function<void(Result<void>)>>> waiting_;
};

} // namespace skerry::sim
