#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

namespace skerry::trust {

/// Where a chain led: see verify.cc.
struct Path;

/// Chains that led to an anchor already, so that a thousand children that come back at once cost a thousand comparisons and not a
/// thousand parsings (OpenSSL 3.0 takes a millisecond for those of one chain, longer than for its signatures).
///
/// What is remembered follows from the bytes of the chain, of the anchors, and of nothing else: whether a key was revoked, a certificate has
/// ended or another key is on record is asked each time. Only what was accepted is kept, so strangers take no room here. Holds at
/// least the `most` chains that were used last, at most twice as many.
class Walked {
public:
    explicit Walked(std::size_t most = 16'384) : most_(most) {}

    std::shared_ptr<const Path> find(const std::string& key);
    void keep(std::string key, std::shared_ptr<const Path> path);
    std::size_t size() const { return recent_.size() + older_.size(); }

private:
    std::size_t most_;
    std::unordered_map<std::string, std::shared_ptr<const Path>> recent_, older_;
};

} // namespace skerry::trust
