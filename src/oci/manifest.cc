#include "oci/manifest.h"

#include "oci/fields.h"

namespace skerry::oci {

namespace {

Result<void> check_schema(const Fields& fields) {
    auto version = TRY(fields.number("schemaVersion", 1, 2));
    if (version == 2) return {};
    return fail(Code::unsupported,
                "schemaVersion: 1 is Docker's manifest format of before 2016; push the image again with a current tool");
}

Result<std::vector<Descriptor>> descriptors(const Json& document, std::string_view member, std::size_t limit) {
    const Json* value = document.find(member);
    if (!value || !value->array_items())
        return fail(Code::invalid, std::string(member) + ": " + (value ? std::string(value->shape()) : "is missing") +
                                       "; wanted a list of descriptors");
    auto& items = *value->array_items();
    if (items.size() > limit)
        return fail(Code::invalid, std::string(member) + ": " + std::to_string(items.size()) + " items; at most " +
                                       std::to_string(limit) + " are accepted");
    std::vector<Descriptor> list;
    for (std::size_t i = 0; i < items.size(); ++i)
        list.push_back(TRY(parse_descriptor(items[i], std::string(member) + "[" + std::to_string(i) + "]")));
    return list;
}

} // namespace

Result<Manifest> parse_manifest(std::string_view bytes) {
    Json document = TRY(parse_document("image manifest", bytes));
    Fields fields{document, ""};
    TRY_VOID(check_schema(fields));
    Manifest manifest;
    manifest.media_type = TRY(fields.text("mediaType", 255));
    if (manifest.media_type.empty()) manifest.media_type = media::manifest;
    if (!is_manifest_type(manifest.media_type))
        return fail(Code::unsupported, "mediaType: \"" + manifest.media_type + "\" is not an image manifest");
    const Json* config = document.find("config");
    if (!config) return fail(Code::invalid, "config: is missing; wanted a descriptor");
    manifest.config = TRY(parse_descriptor(*config, "config"));
    if (!is_config_type(manifest.config.media_type))
        return fail(Code::unsupported, "config.mediaType: \"" + manifest.config.media_type +
                                           "\" is not a container image's config; only images can be run");
    if (manifest.config.size > static_cast<std::int64_t>(max_document))
        return fail(Code::invalid, "config.size: " + std::to_string(manifest.config.size) + " bytes; at most " +
                                       std::to_string(max_document) + " are accepted");
    manifest.layers = TRY(descriptors(document, "layers", max_layers));
    for (std::size_t i = 0; i < manifest.layers.size(); ++i)
        if (!is_layer_type(manifest.layers[i].media_type))
            return fail(Code::unsupported, "layers[" + std::to_string(i) + "].mediaType: \"" + manifest.layers[i].media_type +
                                               "\" is not a layer that can be unpacked (tar, tar+gzip, tar+zstd)");
    manifest.annotations = TRY(fields.text_map("annotations", 1000));
    return manifest;
}

Result<Index> parse_index(std::string_view bytes) {
    Json document = TRY(parse_document("image index", bytes));
    Fields fields{document, ""};
    TRY_VOID(check_schema(fields));
    Index index;
    index.media_type = TRY(fields.text("mediaType", 255));
    if (index.media_type.empty()) index.media_type = media::index;
    if (!is_index_type(index.media_type))
        return fail(Code::unsupported, "mediaType: \"" + index.media_type + "\" is not an image index");
    index.manifests = TRY(descriptors(document, "manifests", max_manifests));
    for (std::size_t i = 0; i < index.manifests.size(); ++i)
        if (auto& found = index.manifests[i]; (is_manifest_type(found.media_type) || is_index_type(found.media_type)) &&
                                              found.size > static_cast<std::int64_t>(max_document))
            return fail(Code::invalid, "manifests[" + std::to_string(i) + "].size: " + std::to_string(found.size) +
                                           " bytes; at most " + std::to_string(max_document) + " are accepted");
    index.annotations = TRY(fields.text_map("annotations", 1000));
    return index;
}

Result<Document> document_kind(std::string_view bytes) {
    Json document = TRY(parse_document("image document", bytes));
    std::string_view type = document.text("mediaType");
    if (is_index_type(type)) return Document::index;
    if (is_manifest_type(type)) return Document::manifest;
    if (!type.empty())
        return fail(Code::unsupported,
                    "mediaType: \"" + std::string(type.substr(0, 255)) + "\" is neither an image manifest nor an image index");
    bool has_manifests = document.find("manifests"), has_config = document.find("config");
    if (has_manifests == has_config)
        return fail(Code::invalid, "neither an image manifest (with config and layers) nor an image index (with manifests)");
    return has_manifests ? Document::index : Document::manifest;
}

namespace {

Json head(std::string_view media_type) {
    Json json;
    json.set("schemaVersion", 2);
    json.set("mediaType", media_type);
    return json;
}

void set_list(Json& json, std::string_view member, const std::vector<Descriptor>& list) {
    Json items = Json::array();
    for (auto& item : list) items.push(json_of(item));
    json.set(member, std::move(items));
}

void set_annotations(Json& json, const std::map<std::string, std::string>& annotations) {
    if (annotations.empty()) return;
    Json object = Json::object();
    for (auto& [key, value] : annotations) object.set(key, value);
    json.set("annotations", std::move(object));
}

} // namespace

std::string write_manifest(const Manifest& manifest) {
    Json json = head(manifest.media_type);
    json.set("config", json_of(manifest.config));
    set_list(json, "layers", manifest.layers);
    set_annotations(json, manifest.annotations);
    return write_json(json);
}

std::string write_index(const Index& index) {
    Json json = head(index.media_type);
    set_list(json, "manifests", index.manifests);
    set_annotations(json, index.annotations);
    return write_json(json);
}

Result<Descriptor> choose(const Index& index, const Platform& host) {
    const Descriptor* best = nullptr;
    int best_fit = 0;
    std::string offers;
    for (auto& offer : index.manifests) {
        if (!is_manifest_type(offer.media_type) || !offer.platform) continue;
        if (offer.platform->os != "unknown") offers += (offers.empty() ? "" : ", ") + text(*offer.platform);
        if (int fit = suits(*offer.platform, host); fit > best_fit) best = &offer, best_fit = fit;
    }
    if (best) return *best;
    if (index.manifests.size() == 1 && is_manifest_type(index.manifests[0].media_type) && !index.manifests[0].platform)
        return index.manifests[0];
    return fail(Code::not_found,
                "the image has nothing for " + text(host) + "; it has " + (offers.empty() ? "no platform at all" : offers));
}

} // namespace skerry::oci
