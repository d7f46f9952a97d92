#include "drivers/container/image_cache.h"

#include "base/json.h"
#include "drivers/container/unpack_main.h"
#include "oci/digest.h"
#include "oci/manifest.h"
#include "os/files.h"

#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::drivers::container {

namespace {

constexpr std::string_view unfinished = ".new-";
constexpr std::string_view dropped = ".gone-";

std::string digits(const std::string& digest) { return std::string(oci::digits_of(digest)); }

Result<void> sync_folder(const std::string& path) {
    os::Fd folder = TRY(os::open(path, O_RDONLY | O_DIRECTORY));
    if (::fsync(folder.number()) < 0) return fail_errno("sync " + path);
    return {};
}

} // namespace

ImageCache::ImageCache(Paths paths, Blobs& blobs, std::string program, oci::Platform host)
    : paths_(std::move(paths)), blobs_(blobs), program_(std::move(program)), host_(std::move(host)) {}

std::string ImageCache::layer_folder(const std::string& diff_id) const { return paths_.layers() + "/" + digits(diff_id); }

Result<std::string> ImageCache::document(const std::string& digest) {
    auto bytes = TRY(blobs_.read(digest, 0, oci::max_document) | during("image document " + digest));
    bool more = bytes.size() == oci::max_document && !TRY(blobs_.read(digest, oci::max_document, 1)).empty();
    if (more) return fail(Code::invalid, "image document " + digest + " is larger than 4 MiB");
    if (oci::digest_of(bytes) != digest) return fail(Code::corrupt, "image document " + digest + " is damaged on disk");
    return bytes;
}

/// An index is followed to what fits this machine.
Result<ImageCache::Documents> ImageCache::documents(const std::string& image) {
    std::string bytes = TRY(document(image));
    if (TRY(oci::document_kind(bytes)) == oci::Document::index)
        bytes = TRY(document(TRY(oci::choose(TRY(oci::parse_index(bytes)), host_)).digest));
    Documents documents{.manifest = TRY(oci::parse_manifest(bytes)), .config = {}};
    documents.config = TRY(document(documents.manifest.config.digest));
    return documents;
}

/// What `prepare` wrote, if every layer is still there.
Result<PreparedImage> ImageCache::remembered(const std::string& digest) {
    auto text = TRY(os::read_file(paths_.images() + "/" + digits(digest), 2 * oci::max_document));
    Json json = TRY(parse_json(text, {.bytes = 2 * oci::max_document}));
    PreparedImage image;
    image.digest = digest;
    image.config = TRY(oci::parse_image_config(json.text("config")));
    image.layers = image.config.diff_ids;
    for (auto& layer : image.layers)
        if (!TRY(os::exists(layer_folder(layer)))) return fail(Code::not_found, "layer " + layer + " is not unpacked");
    return image;
}

Result<PreparedImage> ImageCache::prepare(const std::string& digest, const std::string& for_whom) {
    TRY_VOID(oci::check_digest("image", digest));
    if (auto image = remembered(digest)) return image;
    auto [manifest, config] = TRY(documents(digest));
    PreparedImage image{digest, {}, TRY(oci::parse_image_config(config))};
    image.layers = image.config.diff_ids;
    if (oci::suits(image.config.platform, host_) == 0)
        return fail(Code::unsupported,
                    "the image is for " + oci::text(image.config.platform) + ", this machine is " + oci::text(host_));
    if (image.layers.size() != manifest.layers.size())
        return fail(Code::invalid, "the image's manifest has " + std::to_string(manifest.layers.size()) + " layers, its config " +
                                       std::to_string(image.layers.size()));
    Json json;
    json.set("config", config);
    // Under a name of our own first: others may prepare the same image now.
    std::string noted = paths_.images() + "/" + digits(digest);
    TRY_VOID(os::write_file_atomically(noted + "." + for_whom, write_json(json), 0600));
    TRY_VOID(os::rename(noted + "." + for_whom, noted));
    TRY_VOID(sync_folder(paths_.images()));
    for (std::size_t i = 0; i < image.layers.size(); ++i)
        if (!TRY(os::exists(layer_folder(image.layers[i]))))
            TRY_VOID(unpack(manifest.layers[i].digest, image.layers[i], for_whom) | during("layer " + manifest.layers[i].digest));
    return image;
}

Result<os::Fd> ImageCache::open_blob(const std::string& digest, const std::string& spool) {
    if (auto path = blobs_.path(digest))
        return os::open(*path, O_RDONLY);
    else if (path.error().code != Code::unsupported)
        return std::unexpected(path.error());
    os::Fd file = TRY(os::open(spool, O_TMPFILE | O_RDWR, 0600));
    for (std::uint64_t offset = 0;;) {
        auto piece = TRY(blobs_.read(digest, offset, 1 << 20));
        if (piece.empty()) break;
        for (std::size_t at = 0; at < piece.size();) {
            auto wrote = ::pwrite(file.number(), piece.data() + at, piece.size() - at, static_cast<off_t>(offset + at));
            if (wrote < 0) return fail_errno("copy the layer");
            at += static_cast<std::size_t>(wrote);
        }
        offset += piece.size();
    }
    return file;
}

Result<void> ImageCache::unpack(const std::string& blob, const std::string& diff_id, const std::string& for_whom) {
    std::string fresh = paths_.layers() + "/" + std::string(unfinished) + digits(diff_id).substr(0, 16) + "-" + for_whom;
    TRY_VOID(os::remove_tree(fresh));
    TRY_VOID(os::mkdirs(fresh, 0755));
    auto unpacked = [&]() -> Result<void> {
        os::Fd layer = TRY(open_blob(blob, paths_.layers()));
        TRY_VOID(unpack_apart(program_, layer, fresh, diff_id, blob));
        TRY_VOID(os::rename(fresh, layer_folder(diff_id)));
        return sync_folder(paths_.layers());
    }();
    if (unpacked) return {};
    (void)os::remove_tree(fresh);
    // Another worker was first with the same layer: what counts is that it is there.
    if (TRY(os::exists(layer_folder(diff_id)))) return {};
    return unpacked;
}

Result<void> ImageCache::clean() {
    for (auto& name : TRY(os::list(paths_.layers())))
        if (name.starts_with(unfinished)) TRY_VOID(os::remove_tree(paths_.layers() + "/" + name));
    for (auto& name : TRY(os::list(paths_.images())))
        if (name.find('.') != std::string::npos) TRY_VOID(os::unlink(paths_.images() + "/" + name));
    return remove_dropped();
}

/// As noted by `prepare`; where it has not come so far, as its documents say. Empty where those are not here either: then nobody
/// can be preparing it.
Result<std::vector<std::string>> ImageCache::layers_of(const std::string& image) {
    std::string config;
    auto text = os::read_file(paths_.images() + "/" + digits(image), 2 * oci::max_document);
    if (text) {
        config = TRY(parse_json(*text, {.bytes = 2 * oci::max_document})).text("config");
    } else {
        if (text.error().code != Code::not_found) return std::unexpected(text.error());
        auto found = documents(image);
        if (!found && found.error().code == Code::not_found) return std::vector<std::string>{};
        config = TRY(std::move(found)).config;
    }
    return TRY(oci::parse_image_config(config)).diff_ids;
}

Result<void> ImageCache::keep_only(std::span<const std::string> kept) {
    std::set<std::string> images, layers;
    for (auto& digest : kept) {
        if (!oci::is_digest(digest)) continue;
        images.insert(digits(digest));
        for (auto& layer : TRY(layers_of(digest) | during("image " + digest))) layers.insert(digits(layer));
    }
    // Names with a dot are under way.
    for (auto& name : TRY(os::list(paths_.images())))
        if (!images.contains(name) && name.find('.') == std::string::npos) TRY_VOID(os::unlink(paths_.images() + "/" + name));
    // In one step, so that a crash never leaves half a layer under its good name.
    for (auto& name : TRY(os::list(paths_.layers()))) {
        if (layers.contains(name) || name.starts_with('.')) continue;
        std::string doomed = paths_.layers() + "/" + std::string(dropped) + name;
        TRY_VOID(os::remove_tree(doomed));
        TRY_VOID(os::rename(paths_.layers() + "/" + name, doomed));
    }
    return {};
}

Result<void> ImageCache::remove_dropped() {
    for (auto& name : TRY(os::list(paths_.layers())))
        if (name.starts_with(dropped)) TRY_VOID(os::remove_tree(paths_.layers() + "/" + name));
    return {};
}

} // namespace skerry::drivers::container
