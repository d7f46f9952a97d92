// What is inside a pushed image besides layers: index, manifest, config, `docker save` lists, archives of any make; and what runs
// after it: users looked up in the image's own files, the runtime's config.
#include "base/check.h"
#include "oci/digest.h"
#include "oci/image_config.h"
#include "oci/layers/tar_building.h"
#include "oci/manifest.h"
#include "oci/read_image.h"
#include "oci/runtime/runtime_config.h"
#include "os/fd.h"
#include "seeds.h"

#include <set>
#include <sys/mman.h>
#include <unistd.h>

using namespace skerry;
using oci::testing_tar::Tar;

namespace {

class Counting final : public oci::BlobSink {
public:
    Result<bool> has(const std::string& digest) override { return finished_.contains(digest); }
    Result<void> begin(const std::string&, std::int64_t size, std::string_view) override {
        CHECK(!open_ && size >= 0);
        open_ = true, left_ = size;
        return {};
    }
    Result<void> append(std::string_view bytes) override {
        CHECK(open_);
        left_ -= static_cast<std::int64_t>(bytes.size());
        CHECK(left_ >= 0, "more bytes than announced");
        return {};
    }
    Result<void> finish(const std::string& digest) override {
        CHECK(open_ && left_ == 0);
        open_ = false;
        finished_.insert(digest);
        return {};
    }
    void abandon(const std::string&) override { open_ = false; }

private:
    std::set<std::string> finished_;
    bool open_ = false;
    std::int64_t left_ = 0;
};

void run(const oci::ImageConfig& image, std::string_view files) {
    oci::RuntimeWish wish{.name = "x", .rootfs = "/r", .passwd = std::string(files), .group = std::string(files)};
    auto config = oci::runtime_config(image, wish);
    if (!config) return;
    CHECK(parse_json(write_json(*config)).has_value(), "the runtime's config is no JSON");
    (void)oci::exec_process(*config, {"sh"});
}

void documents(std::string_view text, std::string_view files) {
    (void)oci::document_kind(text);
    if (auto manifest = oci::parse_manifest(text)) {
        auto again = oci::parse_manifest(oci::write_manifest(*manifest));
        CHECK(again.has_value() && again->layers.size() == manifest->layers.size(), "a manifest does not read back");
    }
    if (auto index = oci::parse_index(text)) {
        auto again = oci::parse_index(oci::write_index(*index));
        CHECK(again.has_value() && again->manifests.size() == index->manifests.size(), "an index does not read back");
        (void)oci::choose(*index, {});
    }
    if (auto config = oci::parse_image_config(text)) {
        CHECK(oci::chain_ids(config->diff_ids).size() == config->diff_ids.size());
        run(*config, files);
    }
}

void pushed(std::string_view bytes) {
    os::Fd file(::memfd_create("image", MFD_CLOEXEC));
    CHECK(file.number() >= 0 && ::write(file.number(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    Counting sink;
    auto read = oci::read_image("/proc/self/fd/" + std::to_string(file.number()), sink,
                                {.limits = {.total_bytes = 1 << 20, .entries = 100, .documents_bytes = 1 << 20}});
    if (read) CHECK(!read->platforms.empty());
    if (!read) CHECK(!read.error().message.empty());
}

const std::string config_text =
    R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":["/pos"],"Cmd":["--listen",":80"],"Env":["PATH=/bin"],"User":"app:staff","WorkingDir":"/srv","StopSignal":"SIGINT","ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}})";

std::string of_bytes(const std::string& text, std::string_view type) {
    return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + oci::digest_of(text) + R"(","size":)" +
           std::to_string(text.size()) + "}";
}

std::string layout() {
    std::string layer = Tar().file("hello", "world").bytes();
    std::string manifest = R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
                           of_bytes(config_text, "application/vnd.oci.image.config.v1+json") + R"(,"layers":[)" +
                           of_bytes(layer, "application/vnd.oci.image.layer.v1.tar") + "]}";
    std::string index =
        R"({"schemaVersion":2,"manifests":[)" + of_bytes(manifest, "application/vnd.oci.image.manifest.v1+json") + "]}";
    auto blob = [](const std::string& text) { return "blobs/sha256/" + oci::digest_of(text).substr(7); };
    return Tar()
        .file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})")
        .file("index.json", index)
        .file(blob(manifest), manifest)
        .file(blob(config_text), config_text)
        .file(blob(layer), layer)
        .bytes();
}

std::string saved() {
    return Tar()
        .file("manifest.json", R"([{"Config":"c.json","RepoTags":["retail/pos:4.2"],"Layers":["l/layer.tar"]}])")
        .file("c.json", config_text)
        .file("l/layer.tar", Tar().file("hello", "world").bytes())
        .bytes();
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    std::string passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:50::/home/app:\nstaff:x:50:app,root\n";
    std::string manifest = R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
                           of_bytes("c", "application/vnd.docker.container.image.v1+json") + R"(,"layers":[)" +
                           of_bytes("l", "application/vnd.docker.image.rootfs.diff.tar.gzip") + R"(],"annotations":{"a":"b"}})";
    std::string index =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":3,"platform":{"architecture":"arm64","os":"linux","variant":"v8"}}]})";
    fuzz::start_from({'\1' + fuzz::written(passwd) + config_text, '\1' + fuzz::written("") + manifest,
                      '\1' + fuzz::written("") + index, '\0' + layout(), '\0' + saved()},
                     count, arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    fuzz::Input input(bytes, size);
    if (input.byte() % 2 == 0) {
        pushed(input.rest());
    } else {
        auto files = input.text();
        documents(input.rest(), files);
    }
    return 0;
}
