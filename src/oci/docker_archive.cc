#include "oci/docker_archive.h"

#include "oci/digest.h"
#include "oci/fields.h"
#include "oci/image_config.h"

#include <algorithm>

namespace skerry::oci {

namespace {

std::string_view media_type_of(std::string_view head) {
    if (head.starts_with("\x1f\x8b")) return media::layer_gzip;
    if (head.starts_with("\x28\xb5\x2f\xfd")) return media::layer_zstd;
    return media::layer;
}

Result<const Json*> pick(const Json::Array& images, const std::string& reference) {
    std::string all;
    for (std::size_t i = 0; i < images.size(); ++i) {
        if (!images[i].members()) return fail(Code::invalid, "manifest.json[" + std::to_string(i) + "]: is no object");
        auto tags = TRY((Fields{images[i], "manifest.json[" + std::to_string(i) + "]"}.texts("RepoTags", 1000, 512)));
        if (!reference.empty() && std::ranges::find(tags, reference) != tags.end()) return &images[i];
        for (auto& tag : tags) all += (all.empty() ? "" : ", ") + tag;
    }
    if (reference.empty() && images.size() == 1) return &images[0];
    if (reference.empty())
        return fail(Code::invalid, "the archive holds " + std::to_string(images.size()) + " images; choose one of: " + all);
    return fail(Code::not_found,
                "the archive has no image \"" + reference + "\"; it has: " + (all.empty() ? "none with a tag" : all));
}

} // namespace

Result<DockerImage> convert_docker_archive(ImageFiles& files, std::string_view list, const std::string& reference) {
    Json document = TRY(parse_json(list, {.bytes = max_document, .depth = 16}) | during("manifest.json"));
    auto* images = document.array_items();
    if (!images || images->empty()) return fail(Code::invalid, "manifest.json: is not a list of images");
    const Json* chosen = TRY(pick(*images, reference));
    Fields fields{*chosen, "manifest.json"};
    std::string config_name = TRY(fields.text("Config", 1024));
    auto layer_names = TRY(fields.texts("Layers", max_layers, 1024));
    auto config = TRY(files.document(config_name));
    if (config_name.empty() || !config)
        return fail(Code::invalid, "manifest.json: Config: \"" + config_name + "\" is not in the archive");

    DockerImage image;
    image.config = std::move(*config);
    auto parsed = TRY(parse_image_config(image.config));
    if (parsed.diff_ids.size() != layer_names.size())
        return fail(Code::invalid, "manifest.json names " + std::to_string(layer_names.size()) + " layers, the image's config " +
                                       std::to_string(parsed.diff_ids.size()));
    image.manifest.media_type = media::manifest;
    image.manifest.config = {
        std::string(media::config), digest_of(image.config), static_cast<std::int64_t>(image.config.size()), {}, {}};
    for (std::size_t i = 0; i < layer_names.size(); ++i) {
        auto facts = TRY(files.facts(layer_names[i]));
        if (!facts || facts->digest.empty())
            return fail(Code::invalid,
                        "manifest.json: Layers[" + std::to_string(i) + "]: \"" + layer_names[i] + "\" is not in the archive");
        std::string_view type = media_type_of(facts->head);
        if (type == media::layer && facts->digest != parsed.diff_ids[i])
            return fail(Code::corrupt, "layer \"" + layer_names[i] + "\" has digest " + facts->digest +
                                           "; the image's config says " + parsed.diff_ids[i]);
        image.manifest.layers.push_back({std::string(type), facts->digest, facts->size, {}, {}});
        image.names.emplace(facts->digest, layer_names[i]);
    }
    return image;
}

} // namespace skerry::oci
