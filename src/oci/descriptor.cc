#include "oci/descriptor.h"

#include "oci/digest.h"
#include "oci/fields.h"

#include <algorithm>

namespace skerry::oci {

bool is_index_type(std::string_view type) { return type == media::index || type == media::docker_list; }
bool is_manifest_type(std::string_view type) { return type == media::manifest || type == media::docker_manifest; }
bool is_config_type(std::string_view type) { return type == media::config || type == media::docker_config; }

bool is_layer_type(std::string_view type) {
    constexpr std::string_view known[] = {
        media::layer,
        media::layer_gzip,
        media::layer_zstd,
        media::docker_layer,
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    };
    return std::ranges::find(known, type) != std::end(known);
}

namespace {

/// RFC 6838: type "/" subtype of restricted characters.
bool is_media_type(std::string_view text) {
    auto slash = text.find('/');
    if (slash == text.npos || slash == 0 || slash + 1 == text.size() || text.size() > 255) return false;
    return std::ranges::all_of(
        text, [](unsigned char c) { return std::isalnum(c) || std::string_view("!#$&-^_.+/").contains(static_cast<char>(c)); });
}

} // namespace

Result<Descriptor> parse_descriptor(const Json& json, std::string_view field) {
    if (!json.members())
        return fail(Code::invalid, std::string(field) + ": " + std::string(json.shape()) + "; wanted a descriptor object");
    Fields fields{json, std::string(field)};
    Descriptor descriptor;
    descriptor.media_type = TRY(fields.text("mediaType", 255));
    if (!is_media_type(descriptor.media_type))
        return fail(Code::invalid, fields.name("mediaType") + ": \"" + descriptor.media_type + "\" is not a media type");
    descriptor.digest = TRY(fields.text("digest"));
    TRY_VOID(check_digest(fields.name("digest"), descriptor.digest));
    descriptor.size = TRY(fields.number("size", 0, max_blob));
    descriptor.annotations = TRY(fields.text_map("annotations", 1000));
    if (const Json* platform = json.find("platform"); platform && !platform->is_null()) {
        if (!platform->members())
            return fail(Code::invalid, fields.name("platform") + ": " + std::string(platform->shape()) + "; wanted an object");
        Fields inner{*platform, fields.name("platform")};
        descriptor.platform =
            Platform{TRY(inner.text("os", 64)), TRY(inner.text("architecture", 64)), TRY(inner.text("variant", 64))};
    }
    return descriptor;
}

Json json_of(const Descriptor& descriptor) {
    Json json;
    json.set("mediaType", descriptor.media_type);
    json.set("digest", descriptor.digest);
    json.set("size", descriptor.size);
    if (!descriptor.annotations.empty()) {
        Json annotations = Json::object();
        for (auto& [key, value] : descriptor.annotations) annotations.set(key, value);
        json.set("annotations", std::move(annotations));
    }
    if (descriptor.platform) {
        Json platform = Json::object();
        platform.set("architecture", descriptor.platform->architecture);
        platform.set("os", descriptor.platform->os);
        if (!descriptor.platform->variant.empty()) platform.set("variant", descriptor.platform->variant);
        json.set("platform", std::move(platform));
    }
    return json;
}

} // namespace skerry::oci
