#include "env/fake_disk.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace skerry::env {

std::vector<std::string> split(const std::string& path) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= path.size();) {
        std::size_t slash = std::min(path.find('/', at), path.size());
        if (slash > at) parts.push_back(path.substr(at, slash - at));
        at = slash + 1;
    }
    return parts;
}

NodePtr make_node(bool folder) {
    auto node = std::make_shared<Node>();
    node->folder = folder;
    return node;
}

namespace {

bool concerns(const FolderStep& step, const std::unordered_set<Node*>& folders) {
    return std::ranges::any_of(step, [&](const EntryChange& change) { return folders.contains(change.folder.get()); });
}

void settle(const FolderStep& step) {
    for (const auto& [folder, name, node] : step) {
        if (node)
            folder->durable[name] = node;
        else
            folder->durable.erase(name);
    }
}

/// Copies the durable tree, each file as the cut left it. `durable` gives the entries of a folder.
NodePtr survivors(const NodePtr& node, Loss loss, Chance& chance, std::uint64_t& used,
                  const std::unordered_map<Node*, std::map<std::string, NodePtr>>& overrides) {
    auto copy = make_node(node->folder);
    if (!node->folder) {
        copy->bytes = Platter(node->bytes.after_cut(loss, chance));
        used += copy->bytes.seen().size();
        return copy;
    }
    auto changed = overrides.find(node.get());
    const auto& entries = changed == overrides.end() ? node->durable : changed->second;
    for (const auto& [name, child] : entries) copy->entries[name] = survivors(child, loss, chance, used, overrides);
    copy->durable = copy->entries;
    return copy;
}

std::uint64_t contents(const Node& node) {
    std::uint64_t sum = node.bytes.seen().size();
    for (const auto& [name, child] : node.entries) sum += contents(*child);
    return sum;
}

} // namespace

std::uint64_t FakeFiles::Disk::contents() const { return env::contents(*root); }

NodePtr FakeFiles::Disk::find(const std::vector<std::string>& parts, std::size_t count) const {
    NodePtr node = root;
    for (std::size_t i = 0; i < count; ++i) {
        if (!node->folder) return nullptr;
        auto entry = node->entries.find(parts[i]);
        if (entry == node->entries.end()) return nullptr;
        node = entry->second;
    }
    return node;
}

Result<FakeFiles::Disk::Place> FakeFiles::Disk::place(const std::string& path) const {
    auto parts = split(path);
    if (parts.empty()) return fail(Code::invalid, path + " names no file");
    NodePtr folder = find(parts, parts.size() - 1);
    if (!folder || !folder->folder) return fail(Code::not_found, path + ": its folder does not exist");
    auto entry = folder->entries.find(parts.back());
    return Place{folder, parts.back(), entry == folder->entries.end() ? nullptr : entry->second};
}

void FakeFiles::Disk::change(FolderStep step) {
    for (const auto& [folder, name, node] : step) {
        if (node)
            folder->entries[name] = node;
        else
            folder->entries.erase(name);
    }
    pending.push_back(std::move(step));
}

/// A step of `folder` takes along those of other folders that share a step with it, up to the shared one.
void FakeFiles::Disk::settle_folder(Node* folder) {
    std::unordered_set<Node*> folders{folder};
    std::vector<bool> taken(pending.size());
    for (std::size_t i = pending.size(); i-- > 0;) {
        if (!concerns(pending[i], folders)) continue;
        taken[i] = true;
        for (const auto& change : pending[i]) folders.insert(change.folder.get());
    }
    std::vector<FolderStep> left;
    for (std::size_t i = 0; i < pending.size(); ++i) {
        if (taken[i])
            settle(pending[i]);
        else
            left.push_back(std::move(pending[i]));
    }
    pending = std::move(left);
}

std::shared_ptr<FakeFiles::Disk> FakeFiles::Disk::after_cut(Loss loss, Chance& chance) const {
    std::size_t kept = loss == Loss::everything ? 0
                       : loss == Loss::nothing  ? pending.size()
                                                : chance.bits() % (pending.size() + 1);
    std::unordered_map<Node*, std::map<std::string, NodePtr>> overrides;
    for (std::size_t i = 0; i < kept; ++i) {
        for (const auto& [folder, name, node] : pending[i]) {
            auto& entries = overrides.try_emplace(folder.get(), folder->durable).first->second;
            if (node)
                entries[name] = node;
            else
                entries.erase(name);
        }
    }
    auto disk = std::make_shared<Disk>();
    disk->capacity = capacity;
    disk->root = survivors(root, loss, chance, disk->used, overrides);
    return disk;
}

} // namespace skerry::env
