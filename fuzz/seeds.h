#pragma once

#include <string>
#include <vector>

/// What a fuzzer starts from. Made in code, so that a change of a format changes the seeds with it.
namespace skerry::fuzz {

/// To be called from LLVMFuzzerInitialize: gives libFuzzer the seeds, unless files or folders are named on the command line (a
/// finding to be repeated, a corpus to be kept).
void start_from(const std::vector<std::string>& seeds, int* count, char*** arguments);

/// Takes values off the front of an input; zeros once it is used up.
class Input {
public:
    Input(const unsigned char* bytes, std::size_t size) : rest_(reinterpret_cast<const char*>(bytes), size) {}
    bool empty() const { return rest_.empty(); }
    unsigned byte() {
        if (rest_.empty()) return 0;
        unsigned value = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    std::string_view take(std::size_t size) {
        auto taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    /// Two bytes of length, then so many bytes, or as many as are left.
    std::string_view text() {
        std::size_t size = byte() << 8;
        size |= byte();
        return take(size);
    }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

/// As `Input::text` reads it.
std::string written(std::string_view text);

} // namespace skerry::fuzz
