#include "sim/disk.h"

#include <utility>

namespace skerry::sim {

class Disk::Backend final : public store::Backend {
public:
    explicit Backend(Disk& disk) : disk_(disk), inner_(disk.rows_) {}

    Result<Loaded> load() override { return inner_.load(); }
    Result<void> write(const Batch& batch) override {
        if (disk_.lies_for == Duration(0)) return inner_.write(batch);
        auto& cached = disk_.cached_;
        cached.emplace_back(disk_.agenda_.now(), batch);
        while (!cached.empty() && disk_.agenda_.now() - cached.front().first >= disk_.lies_for) {
            TRY_VOID(inner_.write(cached.front().second));
            cached.pop_front();
        }
        return {};
    }

    Result<Rows> read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) override {
        if (!disk_.cached_.empty()) return fail(Code::unavailable, "a cache that lies about writes lies about reads");
        return inner_.read(from, most_rows, most_bytes);
    }

private:
    Disk& disk_;
    store::MemoryBackend inner_;
};

std::unique_ptr<store::Backend> Disk::open() { return std::make_unique<Backend>(*this); }

} // namespace skerry::sim
