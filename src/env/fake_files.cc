#include "env/fake_files.h"

#include "base/check.h"
#include "env/fake_disk.h"

#include <algorithm>
#include <limits>
#include <mutex>

namespace skerry::env {

namespace {

class FakeFile final : public File {
public:
    FakeFile(std::shared_ptr<FakeFiles::Disk> disk, NodePtr node, Files::Mode mode, std::string path)
        : disk_(std::move(disk)), node_(std::move(node)), mode_(mode), path_(std::move(path)), life_(disk_->life) {}

    Result<std::string> read(std::uint64_t offset, std::size_t size) override {
        std::scoped_lock lock(disk_->mutex);
        TRY_VOID(alive());
        const std::string& bytes = node_->bytes.seen();
        if (offset >= bytes.size()) return std::string();
        return bytes.substr(static_cast<std::size_t>(offset), size);
    }
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        std::scoped_lock lock(disk_->mutex);
        TRY_VOID(writable());
        if (bytes.empty()) return {};
        std::uint64_t size = node_->bytes.seen().size();
        std::uint64_t room = disk_->capacity - std::min(disk_->used, disk_->capacity);
        std::uint64_t fits = std::min<std::uint64_t>(bytes.size(), size + room > offset ? size + room - offset : 0);
        if (fits > 0) {
            TRY_VOID(disk_->step([&] {
                node_->bytes.write(offset, bytes.substr(0, static_cast<std::size_t>(fits)));
                disk_->used += node_->bytes.seen().size() - size;
            }));
        }
        if (fits < bytes.size()) return fail(Code::exhausted, "write " + path_ + ": No space left on device");
        return {};
    }
    Result<std::uint64_t> size() override {
        std::scoped_lock lock(disk_->mutex);
        TRY_VOID(alive());
        return node_->bytes.seen().size();
    }
    Result<void> truncate(std::uint64_t size) override {
        std::scoped_lock lock(disk_->mutex);
        TRY_VOID(writable());
        std::uint64_t before = node_->bytes.seen().size();
        if (before == size) return {};
        if (size > before && size - before > disk_->capacity - std::min(disk_->used, disk_->capacity))
            return fail(Code::exhausted, "truncate " + path_ + ": No space left on device");
        return disk_->step([&] {
            node_->bytes.truncate(size);
            disk_->used += size - before; // modulo 2^64
        });
    }
    Result<void> sync() override {
        std::scoped_lock lock(disk_->mutex);
        TRY_VOID(alive());
        return disk_->step([&] {
            if (!disk_->dark) node_->bytes.sync();
        });
    }

private:
    Result<void> alive() const {
        TRY_VOID(disk_->powered());
        if (life_ != disk_->life) return fail(Code::unavailable, path_ + " was opened before the power cut");
        return {};
    }
    Result<void> writable() const {
        TRY_VOID(alive());
        if (mode_ == Files::Mode::read) return fail(Code::internal, path_ + " is open for reading only");
        return {};
    }

    std::shared_ptr<FakeFiles::Disk> disk_;
    NodePtr node_;
    Files::Mode mode_;
    std::string path_;
    std::uint64_t life_;
};

} // namespace

FakeFiles::FakeFiles() : disk_(std::make_shared<Disk>()) {}
FakeFiles::FakeFiles(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}
FakeFiles::~FakeFiles() = default;

Result<std::unique_ptr<File>> FakeFiles::open(const std::string& path, Mode mode) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    auto place = TRY(disk_->place(path));
    if (!place.node) {
        if (mode != Mode::create) return fail(Code::not_found, "open " + path + ": No such file or directory");
        place.node = make_node(false);
        TRY_VOID(disk_->step([&] { disk_->change({{place.folder, place.name, place.node}}); }));
    }
    if (place.node->folder) return fail(Code::invalid, "open " + path + ": Is a directory");
    return std::make_unique<FakeFile>(disk_, place.node, mode, path);
}

Result<bool> FakeFiles::exists(const std::string& path) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    auto parts = split(path);
    return disk_->find(parts, parts.size()) != nullptr;
}

Result<void> FakeFiles::remove(const std::string& path) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    auto place = TRY(disk_->place(path));
    if (!place.node) return fail(Code::not_found, "remove " + path + ": No such file or directory");
    if (!place.node->entries.empty()) return fail(Code::conflict, "remove " + path + ": Directory not empty");
    return disk_->step([&] {
        disk_->used -= place.node->bytes.seen().size();
        disk_->change({{place.folder, place.name, nullptr}});
    });
}

Result<void> FakeFiles::rename(const std::string& from, const std::string& to) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    auto source = TRY(disk_->place(from));
    auto target = TRY(disk_->place(to));
    if (!source.node) return fail(Code::not_found, "rename " + from + ": No such file or directory");
    if (source.node == target.node) return {};
    if (target.node && (target.node->folder != source.node->folder || !target.node->entries.empty()))
        return fail(Code::exists, "rename " + from + " to " + to + ": the target is a folder in use or of another kind");
    return disk_->step([&] {
        if (target.node) disk_->used -= target.node->bytes.seen().size();
        disk_->change({{source.folder, source.name, nullptr}, {target.folder, target.name, source.node}});
    });
}

Result<void> FakeFiles::make_folder(const std::string& path) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    if (split(path).empty()) return {};
    auto place = TRY(disk_->place(path));
    if (place.node && place.node->folder) return {};
    if (place.node) return fail(Code::exists, "make folder " + path + ": a file has that name");
    return disk_->step([&] { disk_->change({{place.folder, place.name, make_node(true)}}); });
}

Result<std::vector<std::string>> FakeFiles::list(const std::string& folder) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    auto parts = split(folder);
    NodePtr node = disk_->find(parts, parts.size());
    if (!node || !node->folder) return fail(Code::not_found, "list " + folder + ": no such folder");
    std::vector<std::string> names;
    for (const auto& [name, child] : node->entries) names.push_back(name);
    return names;
}

Result<void> FakeFiles::sync_folder(const std::string& path) {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    auto parts = split(path);
    NodePtr node = disk_->find(parts, parts.size());
    if (!node || !node->folder) return fail(Code::not_found, "sync folder " + path + ": no such folder");
    return disk_->step([&] {
        if (!disk_->dark) disk_->settle_folder(node.get());
    });
}

Result<std::uint64_t> FakeFiles::free() {
    std::scoped_lock lock(disk_->mutex);
    TRY_VOID(disk_->powered());
    return disk_->capacity - std::min(disk_->used, disk_->capacity);
}

std::uint64_t FakeFiles::steps() const {
    std::scoped_lock lock(disk_->mutex);
    return disk_->steps;
}

void FakeFiles::cut_after(std::uint64_t n) {
    std::scoped_lock lock(disk_->mutex);
    disk_->last_step = n;
}

bool FakeFiles::dark() const {
    std::scoped_lock lock(disk_->mutex);
    return disk_->dark;
}

void FakeFiles::fail_step(std::uint64_t n, Error error) {
    std::scoped_lock lock(disk_->mutex);
    disk_->planned_errors[n] = std::move(error);
}

std::unique_ptr<FakeFiles> FakeFiles::after_cut(Loss loss, Chance& chance) const {
    std::scoped_lock lock(disk_->mutex);
    return std::unique_ptr<FakeFiles>(new FakeFiles(disk_->after_cut(loss, chance)));
}

void FakeFiles::power_cut(Loss loss, Chance& chance) {
    std::scoped_lock lock(disk_->mutex);
    auto after = disk_->after_cut(loss, chance);
    disk_->root = std::move(after->root);
    disk_->used = after->used;
    disk_->pending.clear();
    disk_->last_step = std::numeric_limits<std::uint64_t>::max();
    disk_->dark = false;
    ++disk_->life;
}

void FakeFiles::limit(std::uint64_t bytes) {
    std::scoped_lock lock(disk_->mutex);
    disk_->capacity = bytes;
    disk_->used = disk_->contents();
}

void FakeFiles::flip_bit(const std::string& path, std::uint64_t bit) {
    std::scoped_lock lock(disk_->mutex);
    auto parts = split(path);
    NodePtr node = disk_->find(parts, parts.size());
    CHECK(node && !node->folder && bit / 8 < node->bytes.seen().size(), path);
    node->bytes.flip_bit(bit);
}

} // namespace skerry::env
