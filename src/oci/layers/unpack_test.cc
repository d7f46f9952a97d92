#include "oci/layers/unpack.h"

#include "base/digest.h"
#include "oci/digest.h"
#include "oci/layers/tar_building.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace skerry::oci {
namespace {

namespace fs = std::filesystem;
using testing_tar::Tar;

/// A folder `inside` to unpack into, and what must stay untouched beside it.
class Unpack : public ::testing::Test {
protected:
    void SetUp() override {
        char pattern[] = "/tmp/skerry-unpack-XXXXXX";
        base_ = ::mkdtemp(pattern);
        fs::create_directory(base_ / "inside");
        fs::create_directory(base_ / "outside");
        std::ofstream(base_ / "outside" / "precious") << "mine";
        folder_ = ::open((base_ / "inside").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        options_.owners = ::geteuid() == 0 ? Owners::as_archived : Owners::ours;
    }
    void TearDown() override {
        ::close(folder_);
        expect_outside_untouched();
        fs::remove_all(base_);
    }
    void expect_outside_untouched() {
        int count = 0;
        for (auto& entry : fs::directory_iterator(base_ / "outside")) {
            ++count;
            EXPECT_EQ(entry.path().filename(), "precious");
            EXPECT_EQ(fs::hard_link_count(entry.path()), 1u);
        }
        EXPECT_EQ(count, 1);
        EXPECT_EQ(text(base_ / "outside" / "precious"), "mine");
    }
    Result<Unpacked> unpack(const std::string& tar) { return unpack_bytes(tar, folder_, options_); }
    static std::string text(const fs::path& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string in(const std::string& name) { return (base_ / "inside" / name).string(); }
    struct stat status(const std::string& name) {
        struct stat found {};
        EXPECT_EQ(::lstat(in(name).c_str(), &found), 0) << name;
        return found;
    }
    bool opaque(const std::string& name) {
        char value[8];
        const char* attribute = options_.owners == Owners::as_archived ? "trusted.overlay.opaque" : "user.overlay.opaque";
        return ::lgetxattr(in(name).c_str(), attribute, value, sizeof value) == 1 && value[0] == 'y';
    }

    fs::path base_;
    int folder_ = -1;
    UnpackOptions options_;
};

TEST_F(Unpack, KeepsContentModesLinksAndTimes) {
    Tar tar;
    tar.folder("bin/", 01777).file("bin/su", "program", 04755).link("bin/sudo", "bin/su").symlink("bin/sh", "su");
    tar.with_time(1234567890).file("etc/motd", "hello").folder("empty", 0700).fifo("run/pipe");
    auto bytes = tar.bytes();
    options_.diff_id = options_.blob = digest_of(bytes);
    auto done = unpack(bytes);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->diff_id, digest_of(bytes));
    EXPECT_EQ(done->bytes, 12);
    EXPECT_EQ(text(in("bin/su")), "program");
    EXPECT_EQ(status("bin/su").st_mode & 07777, 04755u);
    EXPECT_EQ(status("bin").st_mode & 07777, 01777u);
    EXPECT_EQ(status("bin/su").st_ino, status("bin/sudo").st_ino);
    EXPECT_EQ(fs::read_symlink(in("bin/sh")), "su");
    EXPECT_EQ(status("etc/motd").st_mtime, 1234567890);
    EXPECT_EQ(status("empty").st_mtime, 1234567890);
    EXPECT_TRUE(S_ISFIFO(status("run/pipe").st_mode));
}

TEST_F(Unpack, ReadsGzipAndZstd) {
    Tar tar;
    tar.file("a", std::string(100'000, 'a'));
    for (auto compression : {Tar::Compression::gzip, Tar::Compression::zstd}) {
        options_.diff_id = digest_of(tar.bytes());
        auto bytes = tar.bytes(compression);
        options_.blob = digest_of(bytes);
        auto done = unpack(bytes);
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_EQ(done->blob, options_.blob);
        EXPECT_EQ(status("a").st_size, 100'000);
    }
}

TEST_F(Unpack, KeepsNamesByteForByte) {
    Tar tar;
    // e with acute as one and as two characters are two names; neither is normalised. Long names take pax headers.
    std::string composed = "\xc3\xa9", combining = "e\xcc\x81", latin = "\xe9", long_name(200, 'x');
    tar.file(composed, "1").file(combining, "2").file("long/" + long_name + "/" + long_name + composed, "3").file(latin, "4");
    auto done = unpack(tar.bytes());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(text(in(composed)), "1");
    EXPECT_EQ(text(in(combining)), "2");
    EXPECT_EQ(text(in("long/" + long_name + "/" + long_name + composed)), "3");
    EXPECT_EQ(text(in(latin)), "4");
}

TEST_F(Unpack, TurnsWhiteoutsIntoOverlayForm) {
    Tar tar;
    tar.folder("etc")
        .file("etc/.wh.motd", "")
        .folder("var")
        .file("var/.wh..wh..opq", "")
        .file("var/.wh..wh.plnk", "")
        .file("new/.wh.old", "");
    auto done = unpack(tar.bytes());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_TRUE(S_ISCHR(status("etc/motd").st_mode));
    EXPECT_EQ(status("etc/motd").st_rdev, makedev(0, 0));
    EXPECT_TRUE(S_ISCHR(status("new/old").st_mode));
    EXPECT_TRUE(opaque("var"));
    EXPECT_FALSE(opaque("etc"));
    EXPECT_FALSE(fs::exists(in("var/.wh..wh.plnk")));
}

TEST_F(Unpack, WhiteoutsSpareTheirOwnLayer) {
    Tar tar;
    tar.file("a/.wh.kept", "").file("a/kept", "new").file("b/kept", "new").file("b/.wh.kept", "");
    tar.file("c/.wh.folder", "").file("c/folder/x", "new").file("d/folder/x", "new").file("d/.wh.folder", "");
    tar.file("e/.wh.folder", "").folder("e/folder");
    auto done = unpack(tar.bytes());
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(text(in("a/kept")), "new");
    EXPECT_EQ(text(in("b/kept")), "new");
    for (const char* folder : {"c/folder", "d/folder", "e/folder"}) EXPECT_TRUE(opaque(folder)) << folder;
    EXPECT_EQ(text(in("c/folder/x")), "new");
    EXPECT_EQ(text(in("d/folder/x")), "new");
}

TEST_F(Unpack, RefusesDotDot) {
    for (std::string name : {"../outside/new", "a/../../outside/new", "..", "a/..", "/../x"}) {
        Tar tar;
        tar.file(name, "evil");
        auto done = unpack(tar.bytes());
        ASSERT_FALSE(done) << name;
        EXPECT_EQ(done.error().code, Code::invalid);
        EXPECT_NE(done.error().message.find(".."), std::string::npos);
    }
    Tar whiteout;
    whiteout.file("a/.wh...", "");
    EXPECT_FALSE(unpack(whiteout.bytes()));
}

TEST_F(Unpack, AbsoluteNamesAreRelativeToTheRoot) {
    Tar tar;
    tar.file("/etc/skerry-absolute", "x");
    ASSERT_TRUE(unpack(tar.bytes()));
    EXPECT_EQ(text(in("etc/skerry-absolute")), "x");
    EXPECT_FALSE(fs::exists("/etc/skerry-absolute"));
}

TEST_F(Unpack, SymlinkedParentsStayInside) {
    for (std::string target : {(base_ / "outside").string(), std::string("../outside"),
                               std::string("../../../../../../../../tmp"), std::string("/proc/self/root"), std::string("/")}) {
        Tar tar;
        tar.symlink("way", target)
            .file("way/precious", "evil")
            .file("way/.wh.precious", "")
            .folder("way/sub")
            .symlink("way/l", "x");
        (void)unpack(tar.bytes()); // whether it works depends on where the link leads inside; nothing may appear outside
        expect_outside_untouched();
        EXPECT_FALSE(fs::exists("/sub"));
        EXPECT_FALSE(fs::exists("/tmp/precious"));
        fs::remove_all(base_ / "inside" / "tmp");
    }
}

TEST_F(Unpack, FilesReplaceSymlinksInsteadOfFollowingThem) {
    Tar tar;
    tar.symlink("precious", (base_ / "outside" / "precious").string()).file("precious", "evil");
    tar.symlink("folder", (base_ / "outside").string()).folder("folder", 0777);
    ASSERT_TRUE(unpack(tar.bytes()));
    EXPECT_EQ(text(in("precious")), "evil");
    EXPECT_TRUE(S_ISDIR(status("folder").st_mode));
}

TEST_F(Unpack, HardLinksReachOnlyThisLayer) {
    for (std::string target :
         {(base_ / "outside" / "precious").string(), std::string("../outside/precious"), std::string("way/precious"),
          std::string("/etc/passwd"), std::string("folder"), std::string("gone"), std::string("."), std::string("/")}) {
        Tar tar;
        tar.folder("folder").symlink("way", (base_ / "outside").string()).file(".wh.gone", "").link("stolen", target);
        auto done = unpack(tar.bytes());
        EXPECT_FALSE(done) << target;
        EXPECT_FALSE(fs::exists(in("stolen"))) << target;
        expect_outside_untouched();
    }
    // A link to a symlink is the symlink again, not what it points to.
    Tar tar;
    tar.symlink("way2", (base_ / "outside" / "precious").string()).link("copy", "way2").file("copy", "evil");
    ASSERT_TRUE(unpack(tar.bytes()));
    expect_outside_untouched();
}

TEST_F(Unpack, RefusesDevices) {
    Tar tar;
    tar.device("dev/sda");
    auto done = unpack(tar.bytes());
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("dev/sda"), std::string::npos);
    EXPECT_FALSE(fs::exists(in("dev/sda")));
}

TEST_F(Unpack, LaterDuplicatesStand) {
    Tar tar;
    tar.file("x", "one")
        .file("x", "two")
        .folder("y")
        .file("y/inner", "i")
        .file("y", "file now")
        .file("z", "file")
        .folder("z")
        .file("z/inner", "i");
    ASSERT_TRUE(unpack(tar.bytes()));
    EXPECT_EQ(text(in("x")), "two");
    EXPECT_EQ(text(in("y")), "file now");
    EXPECT_EQ(text(in("z/inner")), "i");
}

TEST_F(Unpack, RefusesAFileAsParent) {
    Tar tar;
    tar.file("x", "one").file("x/y", "two");
    auto done = unpack(tar.bytes());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::invalid);
}

TEST_F(Unpack, KeepsOnlyHarmlessAttributes) {
    Tar tar;
    tar.attribute("user.colour", "red")
        .attribute("trusted.overlay.redirect", "/etc")
        .attribute("user.overlay.opaque", "y")
        .attribute("security.ima", "x")
        .file("f", "x");
    ASSERT_TRUE(unpack(tar.bytes()));
    char names[256];
    auto size = ::llistxattr(in("f").c_str(), names, sizeof names);
    ASSERT_GE(size, 0);
    EXPECT_EQ(std::string(names, static_cast<std::size_t>(size)), std::string("user.colour\0", 12));
}

TEST_F(Unpack, BoundsBytesEntriesAndNames) {
    Tar big;
    big.file("a", std::string(600, 'a')).file("b", std::string(600, 'b'));
    options_.limits.bytes = 1000;
    EXPECT_EQ(unpack(big.bytes()).error().code, Code::exhausted);
    options_.limits = {};
    options_.limits.entries = 1;
    EXPECT_EQ(unpack(big.bytes()).error().code, Code::exhausted);
    options_.limits = {};
    std::string deep, wide(256, 'w');
    for (int i = 0; i < 300; ++i) deep += "d/";
    for (std::string name : {deep + "x", wide, std::string(5000, 'n')}) {
        Tar tar;
        tar.file(name, "x");
        EXPECT_EQ(unpack(tar.bytes()).error().code, Code::invalid);
    }
}

TEST_F(Unpack, StopsBombs) {
    Tar bomb;
    bomb.zeros("zeros", 200 << 20);
    options_.limits.ratio = 100;
    auto done = unpack(bomb.bytes(Tar::Compression::gzip));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::exhausted);
    EXPECT_LT(status("zeros").st_blocks * 512, 80 << 20);
}

TEST_F(Unpack, RefusesWrongDigests) {
    Tar tar;
    tar.file("a", "a");
    options_.diff_id = digest_of("something else");
    EXPECT_EQ(unpack(tar.bytes()).error().code, Code::corrupt);
    options_.diff_id.clear();
    options_.blob = digest_of("something else");
    EXPECT_EQ(unpack(tar.bytes()).error().code, Code::corrupt);
}

TEST_F(Unpack, NoticesTruncationAndRubbish) {
    Tar tar;
    tar.file("a", std::string(10'000, 'a')).file("b", std::string(10'000, 'b'));
    for (auto compression : {Tar::Compression::none, Tar::Compression::gzip, Tar::Compression::zstd}) {
        auto bytes = tar.bytes(compression);
        options_.diff_id = digest_of(tar.bytes());
        for (std::size_t part : {std::size_t{1}, bytes.size() / 4, bytes.size() / 2, bytes.size() - 1})
            EXPECT_FALSE(unpack(bytes.substr(0, part))) << part << " of " << bytes.size();
    }
    options_.diff_id.clear();
    EXPECT_FALSE(unpack("this is no archive at all, but long enough that somebody might think it is; " + std::string(2000, 'z')));
    EXPECT_FALSE(unpack(std::string("\x1f\x8b\x08\x00garbage", 11)));
}

TEST_F(Unpack, AnEmptyLayerIsFine) {
    EXPECT_TRUE(unpack(std::string(1024, '\0')));
    EXPECT_TRUE(unpack(""));
}

TEST_F(Unpack, DropsOwnersOutOfRange) {
    if (::geteuid() != 0) GTEST_SKIP() << "owners are set by root only";
    Tar tar;
    tar.owner(123, 456).file("a", "a");
    ASSERT_TRUE(unpack(tar.bytes()));
    EXPECT_EQ(status("a").st_uid, 123u);
    EXPECT_EQ(status("a").st_gid, 456u);
    Tar large;
    large.owner(std::int64_t{1} << 33, 0).file("b", "b");
    EXPECT_EQ(unpack(large.bytes()).error().code, Code::invalid);
}

TEST_F(Unpack, SurvivesFlippedBytes) {
    Tar tar;
    tar.folder("d")
        .file("d/a", std::string(3000, 'a'))
        .symlink("d/l", "a")
        .link("d/h", "d/a")
        .file("d/.wh.gone", "")
        .attribute("user.x", "y")
        .file("d/b", "b");
    auto whole = tar.bytes();
    std::uint64_t state = 42;
    for (int round = 0; round < 300; ++round) {
        auto bytes = whole;
        for (int flips = 0; flips < 4; ++flips) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[(state >> 33) % bytes.size()] = static_cast<char>(state >> 20);
        }
        (void)unpack(bytes);
    }
    expect_outside_untouched();
}

} // namespace
} // namespace skerry::oci
