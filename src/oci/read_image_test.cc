#include "oci/read_image.h"

#include "oci/digest.h"
#include "oci/layers/tar_building.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry::oci {
namespace {

namespace fs = std::filesystem;
using testing_tar::Tar;

class MemorySink : public BlobSink {
public:
    Result<bool> has(const std::string& digest) override { return blobs.contains(digest); }
    Result<void> begin(const std::string& digest, std::int64_t, std::string_view) override {
        EXPECT_TRUE(open_.empty());
        open_ = digest;
        return {};
    }
    Result<void> append(std::string_view bytes) override {
        partial_ += bytes;
        return {};
    }
    Result<void> finish(const std::string& digest) override {
        EXPECT_EQ(digest, open_);
        EXPECT_EQ(digest_of(partial_), digest);
        order.push_back(digest);
        blobs[digest] = std::exchange(partial_, {});
        open_.clear();
        return {};
    }
    void abandon(const std::string& digest) override {
        EXPECT_EQ(digest, open_);
        ++abandoned;
        open_.clear();
        partial_.clear();
    }
    std::map<std::string, std::string> blobs;
    std::vector<std::string> order;
    int abandoned = 0;

private:
    std::string open_, partial_;
};

class ReadImageTest : public ::testing::Test {
protected:
    struct Image {
        std::string manifest, config;
        Descriptor descriptor;
    };

    void SetUp() override {
        char pattern[] = "/tmp/skerry-read-XXXXXX";
        base_ = ::mkdtemp(pattern);
        Tar one, two;
        one.file("a", "a");
        two.file("b", std::string(100'000, 'b'));
        layers_ = {one.bytes(), two.bytes(Tar::Compression::gzip)};
        diffs_ = {digest_of(one.bytes()), digest_of(two.bytes())};
        options_.temporary = base_;
    }
    void TearDown() override { fs::remove_all(base_); }

    Image image(const std::string& architecture) {
        Image made;
        made.config = R"({"architecture":")" + architecture +
                      R"(","os":"linux","config":{"Cmd":["/x"]},"rootfs":{"type":"layers","diff_ids":[")" + diffs_[0] + R"(",")" +
                      diffs_[1] + R"("]}})";
        Manifest manifest{
            std::string(media::manifest),
            {std::string(media::config), digest_of(made.config), static_cast<std::int64_t>(made.config.size()), {}, {}},
            {},
            {}};
        for (auto& layer : layers_)
            manifest.layers.push_back({std::string(&layer == &layers_[0] ? media::layer : media::layer_gzip),
                                       digest_of(layer),
                                       static_cast<std::int64_t>(layer.size()),
                                       {},
                                       {}});
        made.manifest = write_manifest(manifest);
        made.descriptor = {std::string(media::manifest),
                           digest_of(made.manifest),
                           static_cast<std::int64_t>(made.manifest.size()),
                           Platform{"linux", architecture, ""},
                           {}};
        return made;
    }
    static std::string blob(const std::string& bytes) { return "blobs/sha256/" + std::string(digits_of(digest_of(bytes))); }
    static std::string index_of(const std::vector<Descriptor>& entries) {
        return write_index({std::string(media::index), entries, {}});
    }

    /// The files of a layout with one image.
    std::map<std::string, std::string> layout() {
        auto made = image("amd64");
        return {{"oci-layout", R"({"imageLayoutVersion":"1.0.0"})"},
                {"index.json", index_of({made.descriptor})},
                {blob(made.manifest), made.manifest},
                {blob(made.config), made.config},
                {blob(layers_[0]), layers_[0]},
                {blob(layers_[1]), layers_[1]}};
    }
    std::map<std::string, std::string> docker() {
        return {{"manifest.json", R"([{"Config":"c.json","RepoTags":["pos:1"],"Layers":["x/layer.tar","y/layer.tar"]}])"},
                {"c.json", image("amd64").config},
                {"x/layer.tar", layers_[0]},
                {"y/layer.tar", layers_[1]},
                {"repositories", "{}"}};
    }
    std::string archive(const std::map<std::string, std::string>& files, Tar::Compression compression = Tar::Compression::none,
                        bool backwards = false) {
        Tar tar;
        if (backwards)
            for (auto file = files.rbegin(); file != files.rend(); ++file) tar.file("./" + file->first, file->second);
        else
            for (auto& [name, text] : files) tar.file(name, text);
        return save(tar.bytes(compression));
    }
    std::string save(const std::string& bytes) {
        std::string path = base_ + "/archive-" + std::to_string(++count_);
        std::ofstream(path) << bytes;
        return path;
    }
    std::string folder(const std::map<std::string, std::string>& files) {
        std::string path = base_ + "/folder-" + std::to_string(++count_);
        for (auto& [name, text] : files) {
            fs::create_directories(fs::path(path + "/" + name).parent_path());
            std::ofstream(path + "/" + name) << text;
        }
        return path;
    }
    Result<ReadImage> read(const std::string& source) { return read_image(source, sink_, options_); }

    std::string base_;
    int count_ = 0;
    std::vector<std::string> layers_, diffs_;
    MemorySink sink_;
    ReadOptions options_;
};

TEST_F(ReadImageTest, ReadsLayoutsFromEverywhere) {
    std::vector<std::string> sources{folder(layout()), archive(layout()), archive(layout(), Tar::Compression::gzip),
                                     archive(layout(), Tar::Compression::zstd), archive(layout(), Tar::Compression::none, true)};
    for (auto& source : sources) {
        sink_ = {};
        auto got = read(source);
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->digest, image("amd64").descriptor.digest);
        ASSERT_EQ(got->platforms.size(), 1u);
        EXPECT_EQ(text(got->platforms[0].platform), "linux/amd64");
        EXPECT_EQ(got->platforms[0].config.command, std::vector<std::string>{"/x"});
        EXPECT_EQ(sink_.blobs.size(), 4u);
        EXPECT_EQ(sink_.order.back(), got->digest);
        EXPECT_EQ(got->total_size, got->sent_size);
        auto again = read(source);
        ASSERT_TRUE(again);
        EXPECT_EQ(again->sent_size, 0) << "what the sink has is not sent again";
    }
}

TEST_F(ReadImageTest, SpoolsPipes) {
    std::string bytes;
    {
        std::ifstream file(archive(layout(), Tar::Compression::zstd, true));
        bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
    std::string pipe = base_ + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    pid_t writer = ::fork();
    if (writer == 0) {
        std::ofstream(pipe) << bytes;
        ::_exit(0);
    }
    auto got = read(pipe);
    ::waitpid(writer, nullptr, 0);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(sink_.blobs.size(), 4u);
}

TEST_F(ReadImageTest, KeepsAnIndexWithItsPlatforms) {
    auto files = layout();
    auto arm = image("arm64");
    files[blob(arm.manifest)] = arm.manifest;
    files[blob(arm.config)] = arm.config;
    auto absent = image("s390x");
    auto index = index_of({image("amd64").descriptor,
                           arm.descriptor,
                           absent.descriptor,
                           {std::string(media::manifest), digest_of("attestation"), 9, Platform{"unknown", "unknown", ""}, {}}});
    files[blob(index)] = index;
    files["index.json"] =
        index_of({{std::string(media::index), digest_of(index), static_cast<std::int64_t>(index.size()), {}, {}}});
    auto got = read(archive(files));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->digest, digest_of(index));
    EXPECT_EQ(got->platforms.size(), 2u);
    EXPECT_EQ(sink_.order.back(), got->digest);
    // index.json itself as the list of platforms
    files["index.json"] = index;
    sink_ = {};
    got = read(archive(files));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->digest, digest_of(index));
}

TEST_F(ReadImageTest, AsksWhichOfSeveral) {
    auto files = layout();
    auto first = image("amd64"), second = image("arm64");
    files[blob(second.manifest)] = second.manifest;
    files[blob(second.config)] = second.config;
    first.descriptor.annotations["org.opencontainers.image.ref.name"] = "1";
    second.descriptor.annotations["org.opencontainers.image.ref.name"] = "2";
    files["index.json"] = index_of({first.descriptor, second.descriptor});
    auto source = archive(files);
    auto got = read(source);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message.find("1, 2"), std::string::npos) << got.error().message;
    options_.reference = "2";
    EXPECT_EQ(read(source)->digest, second.descriptor.digest);
    options_.reference = "3";
    EXPECT_EQ(read(source).error().code, Code::not_found);
}

TEST_F(ReadImageTest, ConvertsDockerArchives) {
    auto got = read(archive(docker()));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->media_type, media::manifest);
    EXPECT_EQ(got->platforms[0].manifest.layers[0].media_type, media::layer);
    EXPECT_EQ(got->platforms[0].manifest.layers[1].media_type, media::layer_gzip);
    EXPECT_EQ(sink_.blobs.at(got->digest), got->document);
    auto backwards = read(archive(docker(), Tar::Compression::gzip, true));
    ASSERT_TRUE(backwards);
    EXPECT_EQ(backwards->digest, got->digest);
    options_.reference = "pos:1";
    EXPECT_EQ(read(archive(docker()))->digest, got->digest);
    options_.reference = "pos:2";
    EXPECT_EQ(read(archive(docker())).error().code, Code::not_found);
}

TEST_F(ReadImageTest, FollowsLinksOfOldDockerArchives) {
    auto files = docker();
    Tar tar;
    for (auto& [name, text] : files)
        if (name != "x/layer.tar") tar.file(name, text);
    tar.file("z/layer.tar", files["x/layer.tar"]).symlink("x/layer.tar", "../z/layer.tar");
    EXPECT_TRUE(read(save(tar.bytes())));
    Tar loop;
    for (auto& [name, text] : files)
        if (name != "x/layer.tar") loop.file(name, text);
    loop.symlink("x/layer.tar", "layer.tar").symlink("p", "q").symlink("q", "p");
    EXPECT_FALSE(read(save(loop.bytes())));
    Tar out;
    for (auto& [name, text] : files)
        if (name != "c.json") out.file(name, text);
    out.symlink("c.json", "/etc/passwd");
    EXPECT_FALSE(read(save(out.bytes())));
}

TEST_F(ReadImageTest, RefusesWhatDoesNotMatch) {
    for (auto& [name, text] : layout()) {
        if (!name.starts_with("blobs/")) continue;
        for (std::string wrong : {text.substr(0, text.size() / 2), text + "x", std::string(text.size(), 'x')}) {
            auto files = layout();
            files[name] = wrong;
            for (auto& source : {archive(files), folder(files)}) {
                sink_ = {};
                auto got = read(source);
                ASSERT_FALSE(got) << name;
                EXPECT_TRUE(got.error().code == Code::corrupt || got.error().code == Code::invalid) << got.error().message;
                EXPECT_FALSE(sink_.blobs.contains("sha256:" + name.substr(13)));
            }
        }
        auto files = layout();
        files.erase(name);
        EXPECT_FALSE(read(archive(files))) << name;
    }
    auto wrong = docker();
    wrong["x/layer.tar"] += std::string(512, '\0');
    EXPECT_EQ(read(archive(wrong)).error().code, Code::corrupt);
}

TEST_F(ReadImageTest, NoticesTruncatedArchives) {
    for (auto compression : {Tar::Compression::none, Tar::Compression::gzip, Tar::Compression::zstd}) {
        std::ifstream file(archive(layout(), compression));
        std::string bytes{std::istreambuf_iterator<char>(file), {}};
        for (std::size_t part : {std::size_t{0}, std::size_t{100}, bytes.size() / 3, bytes.size() / 2})
            EXPECT_FALSE(read(save(bytes.substr(0, part)))) << part;
    }
    EXPECT_FALSE(read(save("neither tar nor anything")));
    EXPECT_FALSE(read(base_ + "/nothing"));
    EXPECT_FALSE(read(base_)) << "a folder without an image";
}

TEST_F(ReadImageTest, BoundsWhatItReads) {
    options_.limits.entries = 3;
    EXPECT_EQ(read(archive(layout())).error().code, Code::exhausted);
    options_.limits = {};
    options_.limits.total_bytes = 4096;
    EXPECT_EQ(read(archive(layout())).error().code, Code::exhausted);
    options_.limits = {};
    options_.limits.documents_bytes = 100;
    EXPECT_EQ(read(archive(layout())).error().code, Code::exhausted);
    options_.limits = {};
    options_.limits.ratio = 50;
    Tar bomb;
    bomb.zeros("zeros", 100 << 20);
    EXPECT_EQ(read(save(bomb.bytes(Tar::Compression::gzip))).error().code, Code::exhausted);
    options_.limits = {};
    auto files = layout();
    files["index.json"] = std::string(5 << 20, ' ') + files["index.json"];
    EXPECT_FALSE(read(archive(files)));
    EXPECT_FALSE(read(folder(files)));
}

} // namespace
} // namespace skerry::oci
