#include "oci/read_image.h"

#include "base/digest.h"
#include "oci/digest.h"
#include "oci/docker_archive.h"
#include "oci/fields.h"
#include "oci/image_files.h"

#include <algorithm>
#include <map>
#include <set>

namespace skerry::oci {

namespace {

std::string blob_name(std::string_view digest) { return "blobs/sha256/" + std::string(digits_of(digest)); }

/// What is to be sent: documents in memory, lowest first, and layers by their names in the source.
struct Shipment {
    struct Blob {
        Descriptor descriptor;
        std::string name;
    };
    std::map<std::string, Blob> layers;                        ///< by digest
    std::vector<std::pair<Descriptor, std::string>> documents; ///< with their bytes; the top comes last
    ReadImage image;

    void add_document(Descriptor descriptor, std::string bytes) {
        for (auto& [known, unused] : documents)
            if (known.digest == descriptor.digest) return;
        documents.emplace_back(std::move(descriptor), std::move(bytes));
    }
};

/// A document named by a descriptor, verified; none where the source lacks it.
Result<std::optional<std::string>> fetch(ImageFiles& files, const Descriptor& descriptor) {
    auto bytes = TRY(files.document(blob_name(descriptor.digest)));
    if (!bytes) return std::nullopt;
    if (static_cast<std::int64_t>(bytes->size()) != descriptor.size || digest_of(*bytes) != descriptor.digest)
        return fail(Code::corrupt, "the bytes of " + descriptor.digest + " do not match it");
    return bytes;
}

/// Attestations of build tools lie in indexes as manifests for "unknown/unknown".
bool is_image(const Descriptor& descriptor) {
    if (descriptor.annotations.contains("vnd.docker.reference.type")) return false;
    return is_manifest_type(descriptor.media_type) && (!descriptor.platform || descriptor.platform->os != "unknown");
}

class LayoutReader {
public:
    LayoutReader(ImageFiles& files, const ReadOptions& options) : files_(files), options_(options) {}

    Result<Shipment> read(std::string_view layout, const std::string& index_bytes) {
        Json marker = TRY(parse_document("oci-layout", layout));
        if (!marker.text("imageLayoutVersion").starts_with("1."))
            return fail(Code::unsupported, "oci-layout: version \"" +
                                               std::string(marker.text("imageLayoutVersion").substr(0, 40)) +
                                               "\"; 1.0.0 is known");
        Index index = TRY(parse_index(index_bytes) | during("index.json"));
        Descriptor top = TRY(pick(index, index_bytes));
        std::string bytes = index_bytes;
        if (top.digest != digest_of(index_bytes)) {
            auto found = TRY(fetch(files_, top));
            if (!found) return fail(Code::invalid, "index.json names " + top.digest + ", which is not in the image");
            bytes = std::move(*found);
        }
        if (is_index_type(top.media_type))
            TRY_VOID(add_index(bytes, 0));
        else if (!TRY(add_manifest(top, bytes)))
            return fail(Code::invalid, missing_);
        if (shipment_.image.platforms.empty())
            return fail(Code::invalid, missing_.empty() ? "the index names no image that could run" : missing_);
        shipment_.image.digest = top.digest;
        shipment_.image.media_type = top.media_type;
        shipment_.image.document = bytes;
        shipment_.add_document(top, bytes);
        return std::move(shipment_);
    }

private:
    /// The one image of the layout, or the one asked for, or index.json itself where it lists the platforms of one image.
    Result<Descriptor> pick(const Index& index, const std::string& index_bytes) {
        std::vector<const Descriptor*> fitting;
        std::string all;
        std::set<std::string> names, platforms;
        for (auto& entry : index.manifests) {
            if (!is_image(entry) && !is_index_type(entry.media_type)) continue;
            auto name = name_of(entry);
            if (!name.empty()) all += (all.empty() ? "" : ", ") + name;
            auto full = entry.annotations.find("io.containerd.image.name");
            bool wanted = options_.reference.empty() || name == options_.reference ||
                          (full != entry.annotations.end() && full->second == options_.reference);
            if (!wanted) continue;
            fitting.push_back(&entry);
            names.insert(name);
            if (entry.platform && is_manifest_type(entry.media_type)) platforms.insert(text(*entry.platform));
        }
        if (fitting.size() == 1) return *fitting[0];
        if (fitting.empty() && !options_.reference.empty())
            return fail(Code::not_found,
                        "no image \"" + options_.reference + "\" here; there are: " + (all.empty() ? "none with a name" : all));
        if (fitting.empty()) return fail(Code::invalid, "index.json: names no image");
        if (names.size() == 1 && platforms.size() == fitting.size() && options_.reference.empty())
            return Descriptor{
                std::string(media::index), digest_of(index_bytes), static_cast<std::int64_t>(index_bytes.size()), {}, {}};
        return fail(Code::invalid, "the source holds " + std::to_string(fitting.size()) +
                                       " images; choose one of: " + (all.empty() ? "(they have no names)" : all));
    }

    static std::string name_of(const Descriptor& descriptor) {
        auto name = descriptor.annotations.find("org.opencontainers.image.ref.name");
        return name == descriptor.annotations.end() ? "" : name->second;
    }

    Result<void> add_index(const std::string& bytes, int depth) {
        if (depth > 3) return fail(Code::invalid, "indexes within indexes, more than three deep");
        Index index = TRY(parse_index(bytes));
        for (auto& entry : index.manifests) {
            bool nested = is_index_type(entry.media_type);
            if (!nested && !is_image(entry)) continue;
            if (++seen_ > max_manifests)
                return fail(Code::exhausted, "more than " + std::to_string(max_manifests) + " manifests");
            auto found = TRY(fetch(files_, entry));
            if (!found) {
                missing_ = "manifest " + entry.digest + " is not in the source";
                continue;
            }
            if (!nested) {
                (void)TRY(add_manifest(entry, *found));
                continue;
            }
            TRY_VOID(add_index(*found, depth + 1));
            shipment_.add_document(entry, std::move(*found));
        }
        return {};
    }

    /// False, with `missing_` set, where the source lacks a part: tools save indexes together with the parts of one platform
    /// only.
    Result<bool> add_manifest(const Descriptor& descriptor, const std::string& bytes) {
        Manifest manifest = TRY(parse_manifest(bytes) | during("manifest " + descriptor.digest));
        auto config_bytes = TRY(fetch(files_, manifest.config));
        if (!config_bytes) return lacks("config " + manifest.config.digest);
        ImageConfig config = TRY(parse_image_config(*config_bytes) | during("config " + manifest.config.digest));
        if (config.diff_ids.size() != manifest.layers.size())
            return fail(Code::invalid, "manifest " + descriptor.digest + " has " + std::to_string(manifest.layers.size()) +
                                           " layers, its config " + std::to_string(config.diff_ids.size()));
        for (auto& layer : manifest.layers) {
            auto facts = TRY(files_.facts(blob_name(layer.digest)));
            if (!facts) return lacks("layer " + layer.digest);
            if (facts->size != layer.size || (!facts->digest.empty() && facts->digest != layer.digest))
                return fail(Code::corrupt, "the bytes of layer " + layer.digest + " do not match it");
        }
        for (auto& layer : manifest.layers)
            shipment_.layers.emplace(layer.digest, Shipment::Blob{layer, blob_name(layer.digest)});
        shipment_.add_document(manifest.config, std::move(*config_bytes));
        shipment_.add_document(descriptor, bytes);
        Platform platform = config.platform;
        if (platform.variant.empty() && descriptor.platform) platform.variant = descriptor.platform->variant;
        shipment_.image.platforms.push_back({platform, descriptor.digest, std::move(manifest), std::move(config)});
        return true;
    }

    bool lacks(const std::string& what) {
        missing_ = what + " is not in the source";
        return false;
    }

    ImageFiles& files_;
    const ReadOptions& options_;
    Shipment shipment_;
    std::size_t seen_ = 0;
    std::string missing_;
};

Result<Shipment> read_docker(ImageFiles& files, const std::string& list, const ReadOptions& options) {
    DockerImage docker = TRY(convert_docker_archive(files, list, options.reference));
    Shipment shipment;
    for (auto& layer : docker.manifest.layers)
        shipment.layers.emplace(layer.digest, Shipment::Blob{layer, docker.names.at(layer.digest)});
    ImageConfig config = TRY(parse_image_config(docker.config));
    std::string bytes = write_manifest(docker.manifest);
    Descriptor top{std::string(media::manifest), digest_of(bytes), static_cast<std::int64_t>(bytes.size()), {}, {}};
    shipment.add_document(docker.manifest.config, std::move(docker.config));
    shipment.add_document(top, bytes);
    shipment.image.digest = top.digest;
    shipment.image.media_type = top.media_type;
    shipment.image.document = std::move(bytes);
    shipment.image.platforms.push_back({config.platform, top.digest, std::move(docker.manifest), std::move(config)});
    return shipment;
}

/// Passes one blob to the sink, counting and hashing.
class Passage {
public:
    Passage(BlobSink& sink, const Descriptor& descriptor) : sink_(sink), descriptor_(descriptor) {}
    ~Passage() {
        if (open_) sink_.abandon(descriptor_.digest);
    }
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;

    Result<void> begin() {
        TRY_VOID(sink_.begin(descriptor_.digest, descriptor_.size, descriptor_.media_type));
        open_ = true;
        return {};
    }

    Result<void> add(std::string_view piece) {
        sent_ += static_cast<std::int64_t>(piece.size());
        if (sent_ > descriptor_.size) return wrong();
        hash_.add(piece);
        return sink_.append(piece);
    }

    Result<void> end() {
        if (sent_ != descriptor_.size || digest_text(hash_.finish()) != descriptor_.digest) return wrong();
        open_ = false;
        return sink_.finish(descriptor_.digest);
    }

private:
    Result<void> wrong() const { return fail(Code::corrupt, "the bytes of " + descriptor_.digest + " do not match it"); }

    BlobSink& sink_;
    const Descriptor& descriptor_;
    Sha256 hash_;
    std::int64_t sent_ = 0;
    bool open_ = false;
};

Result<ReadImage> send(ImageFiles& files, Shipment shipment, BlobSink& sink) {
    ReadImage& image = shipment.image;
    std::map<std::string, const Descriptor*> wanted;
    std::set<std::string> names;
    for (auto& [digest, blob] : shipment.layers) {
        image.total_size += blob.descriptor.size;
        if (TRY(sink.has(digest))) continue;
        image.sent_size += blob.descriptor.size;
        wanted[blob.name] = &blob.descriptor;
        names.insert(blob.name);
    }
    std::optional<Passage> passage;
    auto visited =
        names.empty() ? Result<void>() : files.visit(names, [&](const std::string& name, std::string_view piece) -> Result<void> {
            if (!passage) {
                passage.emplace(sink, *wanted.at(name));
                TRY_VOID(passage->begin());
            }
            if (!piece.empty()) return passage->add(piece);
            auto ended = passage->end();
            passage.reset();
            return ended;
        });
    if (!visited) return std::unexpected(visited.error());
    for (auto& [descriptor, bytes] : shipment.documents) {
        image.total_size += descriptor.size;
        if (TRY(sink.has(descriptor.digest))) continue;
        image.sent_size += descriptor.size;
        Passage whole(sink, descriptor);
        TRY_VOID(whole.begin());
        TRY_VOID(whole.add(bytes));
        TRY_VOID(whole.end());
    }
    return std::move(image);
}

} // namespace

Result<ReadImage> read_image(const std::string& source, BlobSink& sink, const ReadOptions& options) {
    auto files = TRY(open_image_files(source, options));
    auto layout = TRY(files->document("oci-layout"));
    auto index = TRY(files->document("index.json"));
    if (layout && index) return send(*files, TRY(LayoutReader(*files, options).read(*layout, *index)), sink);
    auto list = TRY(files->document("manifest.json"));
    if (list) return send(*files, TRY(read_docker(*files, *list, options)), sink);
    return fail(Code::invalid,
                source + ": is neither an OCI image layout (oci-layout and index.json) nor a docker archive (manifest.json)");
}

} // namespace skerry::oci
