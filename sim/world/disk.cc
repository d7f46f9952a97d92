#include "sim/world/disk.h"

#include "store/sqlite/sqlite_backend.h"

#include <utility>

namespace skerry::sim {

namespace {
constexpr std::uint64_t roomy = std::uint64_t{1} << 40;
constexpr store::SqliteBackend::Options often{.checkpoint_pages = 50};
} // namespace

class Disk::Backend final : public store::Backend {
public:
    Backend(Disk& disk, std::unique_ptr<store::Backend> inner) : disk_(disk), inner_(std::move(inner)) {}

    Result<Loaded> load() override { return inner_->load(); }
    Result<void> write(const Batch& batch) override {
        if (disk_.slow > Duration(0) && disk_.spend) disk_.spend(disk_.slow);
        if (disk_.full_ && !disk_.is_files()) return fail(Code::exhausted, "no space is left on the disk");
        if (disk_.lies_for == Duration(0)) return inner_->write(batch);
        auto& cached = disk_.cached_;
        cached.emplace_back(disk_.agenda_.now(), batch);
        while (!cached.empty() && disk_.agenda_.now() - cached.front().first >= disk_.lies_for) {
            TRY_VOID(inner_->write(cached.front().second));
            cached.pop_front();
        }
        return {};
    }

    Result<Rows> read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) override {
        if (!disk_.cached_.empty()) return fail(Code::unavailable, "a cache that lies about writes lies about reads");
        return inner_->read(from, most_rows, most_bytes);
    }

private:
    Disk& disk_;
    std::unique_ptr<store::Backend> inner_;
};

Disk::Disk(const Agenda& agenda, env::Chance& chance)
    : agenda_(agenda), chance_(chance), rows_(std::make_shared<store::MemoryDisk>()) {}

Disk::~Disk() = default;

void Disk::use_files() { files_ = std::make_shared<env::FakeFiles>(); }

std::unique_ptr<store::Backend> Disk::open() {
    std::unique_ptr<store::Backend> inner;
    if (files_)
        inner = std::make_unique<store::SqliteBackend>(*files_, "/store.db", often);
    else
        inner = std::make_unique<store::MemoryBackend>(rows_);
    return std::make_unique<Backend>(*this, std::move(inner));
}

void Disk::swap_files(env::Loss loss) {
    if (!files_) return;
    used_.push_back(files_);
    files_ = files_->after_cut(loss, chance_);
    if (full_) fill();
}

void Disk::process_dies() { swap_files(env::Loss::nothing); }
void Disk::loses_power() { swap_files(env::Loss::chance); }

void Disk::lose_cache() {
    cached_.clear();
    used_.clear();
}

void Disk::refuse_write(std::uint64_t n, store::MemoryDisk::Fate fate) {
    if (files_)
        files_->fail_step(files_->steps() + n, Error{Code::unavailable, "an I/O error"});
    else
        rows_->crash_on_write(n, fate);
}

void Disk::fill() {
    full_ = true;
    if (!files_) return;
    files_->limit(roomy);
    auto free = files_->free();
    if (free && *free <= roomy) files_->limit(roomy - *free);
}

void Disk::make_room() {
    full_ = false;
    if (files_) files_->limit(roomy);
}

std::string Disk::damage_replica(env::Chance& chance) {
    auto objects = rows_->objects();
    std::erase_if(objects, [](const store::ObjectPtr& object) { return !object->wish.from; });
    if (files_ || objects.empty()) return {};
    const auto& object = objects[chance.bits() % objects.size()];
    rows_->damage(object->key);
    return object->key.text();
}

Disk::Backup Disk::backup() const {
    Backup backup;
    if (files_)
        backup.files = files_->after_cut(env::Loss::nothing, chance_);
    else
        backup.rows = std::make_shared<store::MemoryDisk>(*rows_);
    return backup;
}

void Disk::restore(const Backup& backup) {
    if (files_)
        files_ = backup.files->after_cut(env::Loss::nothing, chance_);
    else
        rows_ = std::make_shared<store::MemoryDisk>(*backup.rows);
}

} // namespace skerry::sim
