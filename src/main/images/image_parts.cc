#include "main/images/image_parts.h"

#include "oci/manifest.h"

#include <string>

namespace skerry::main {

namespace {

/// Indexes of indexes end here.
constexpr int deepest = 3;

void add_parts_below(const depot::Depot& depot, const depot::Digest& digest, std::set<depot::Digest>& all, int depth) {
    if (depth > deepest || !all.insert(digest).second) return;
    auto document = depot.read_whole(digest);
    if (!document) return;
    auto kind = oci::document_kind(*document);
    if (!kind) return;
    if (*kind == oci::Document::index) {
        auto index = oci::parse_index(*document);
        if (!index) return;
        for (auto& child : index->manifests)
            if (auto parsed = depot::Digest::parse(child.digest)) add_parts_below(depot, *parsed, all, depth + 1);
        return;
    }
    auto manifest = oci::parse_manifest(*document);
    if (!manifest) return;
    auto children = manifest->layers;
    children.push_back(manifest->config);
    for (auto& child : children)
        if (auto parsed = depot::Digest::parse(child.digest)) all.insert(*parsed);
}

} // namespace

Result<std::vector<depot::Want>> missing_parts(const depot::Depot& depot, const depot::Digest& image, const oci::Platform& host) {
    std::vector<depot::Want> missing;
    /// True where it is here.
    auto look = [&](const depot::Digest& digest, std::optional<std::uint64_t> size) -> Result<bool> {
        if (TRY(depot.has(digest))) return true;
        missing.push_back({.digest = digest, .size = size, .have = TRY(depot.have(digest))});
        return false;
    };
    if (!TRY(look(image, {}))) return missing;
    std::string document = TRY(depot.read_whole(image));
    if (TRY(oci::document_kind(document)) == oci::Document::index) {
        oci::Descriptor chosen = TRY(oci::choose(TRY(oci::parse_index(document)), host));
        depot::Digest digest = TRY(depot::Digest::parse(chosen.digest));
        if (!TRY(look(digest, static_cast<std::uint64_t>(chosen.size)))) return missing;
        document = TRY(depot.read_whole(digest));
    }
    oci::Manifest manifest = TRY(oci::parse_manifest(document));
    std::vector<oci::Descriptor> blobs = manifest.layers;
    blobs.push_back(manifest.config);
    std::set<std::string> seen;
    for (auto& blob : blobs) {
        if (!seen.insert(blob.digest).second) continue;
        auto looked = look(TRY(depot::Digest::parse(blob.digest)), static_cast<std::uint64_t>(blob.size));
        if (!looked) return std::unexpected(looked.error());
    }
    return missing;
}

void add_parts(const depot::Depot& depot, const depot::Digest& image, std::set<depot::Digest>& all) {
    add_parts_below(depot, image, all, 0);
}

} // namespace skerry::main
