#include "os/mount.h"
#include "os/os_fixture.h"

#include <sys/mount.h>

namespace skerry::os {
namespace {

using MountAsRoot = RootTest;

TEST(Mountinfo, UnescapesAndSkipsWhatItDoesNotUnderstand) {
    auto points = parse_mountinfo(
        "36 35 98:0 /r\\040oot /mnt\\134x\\011y rw,noatime master:1 unbindable - ext3 /dev/root rw,errors=continue\n"
        "nonsense\n"
        "40 35 0:5 / /empty rw -  tmpfs\n"
        "37 36 0:4 / /none rw - tmpfs  rw,size=4k\n"
        "38 36 0:4 / /cut rw shared:1");
    ASSERT_EQ(points.size(), 2u);
    EXPECT_EQ(points[0].target, "/mnt\\x\ty");
    EXPECT_EQ(points[0].root, "/r oot");
    EXPECT_EQ(points[0].super_options, "rw,errors=continue");
    EXPECT_EQ(points[1].source, "");
    EXPECT_EQ(points[1].super_options, "rw,size=4k");
}

TEST_F(MountAsRoot, StackedAndNestedMountsAreAllTakenDown) {
    std::string top = folder_ + "/with space";
    ASSERT_TRUE(mkdirs(top + "/in").has_value());
    ASSERT_TRUE(mkdirs(folder_ + "/with space2").has_value());
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(mount("tmpfs", top, "tmpfs", 0).has_value());
        ASSERT_TRUE(mkdirs(top + "/in").has_value());
        ASSERT_TRUE(mount("tmpfs", top + "/in", "tmpfs", 0).has_value());
    }
    ASSERT_TRUE(mount("tmpfs", folder_ + "/with space2", "tmpfs", 0).has_value());
    auto busy = open(top + "/in", 0);
    EXPECT_EQ(mounts_beneath(top)->size(), 6u);
    ASSERT_TRUE(umount_beneath(top).has_value());
    EXPECT_FALSE(is_mount_point(top).value());
    EXPECT_TRUE(is_mount_point(folder_ + "/with space2").value()); // a namesake's prefix is no parent
    EXPECT_TRUE(umount(top).has_value());
    EXPECT_TRUE(umount(folder_ + "/absent").has_value());
}

TEST_F(MountAsRoot, ReadOnlyBind) {
    ASSERT_TRUE(mkdirs(folder_ + "/a").has_value());
    ASSERT_TRUE(mkdirs(folder_ + "/b").has_value());
    ASSERT_TRUE(bind_mount(folder_ + "/a", folder_ + "/b", true).has_value());
    EXPECT_FALSE(write_file_atomically(folder_ + "/b/file", "x").has_value());
    EXPECT_TRUE(write_file_atomically(folder_ + "/a/file", "x").has_value());
}

/// Layer i holds a file of its own and its version of `shared`.
Overlay layers(const std::string& folder, int count, const std::string& name) {
    Overlay overlay;
    EXPECT_TRUE(mkdirs(folder + "/base").has_value());
    EXPECT_TRUE(mount("tmpfs", folder + "/base", "tmpfs", 0).has_value());
    for (int i = 0; i < count; ++i) {
        std::string path = folder + "/base/" + name + std::to_string(i);
        EXPECT_TRUE(mkdirs(path).has_value());
        EXPECT_TRUE(write_file_atomically(path + "/only" + std::to_string(i), "x").has_value());
        EXPECT_TRUE(write_file_atomically(path + "/shared", std::to_string(i)).has_value());
        overlay.lower.push_back(path);
    }
    overlay.upper = folder + "/base/" + name + "up";
    overlay.work = folder + "/base/" + name + "work";
    EXPECT_TRUE(mkdirs(overlay.upper).has_value());
    EXPECT_TRUE(mkdirs(overlay.work).has_value());
    EXPECT_TRUE(mkdirs(folder + "/root").has_value());
    return overlay;
}

TEST_F(MountAsRoot, OverlayOfOddPathsPutsTheFirstLayerOnTop) {
    Overlay overlay = layers(folder_, 3, "a:b,c\\d e");
    auto mounted = mount_overlay(overlay, folder_ + "/root");
    ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
    EXPECT_EQ(read_file(folder_ + "/root/shared").value(), "0");
    EXPECT_TRUE(exists(folder_ + "/root/only2").value());
    ASSERT_TRUE(write_file_atomically(folder_ + "/root/new", "x").has_value());
    EXPECT_TRUE(exists(overlay.upper + "/new").value());
}

TEST_F(MountAsRoot, OverlayOfMoreLayersThanOnePageOfOptionsHolds) {
    Overlay overlay = layers(folder_, 150, std::string(80, 'l'));
    auto mounted = mount_overlay(overlay, folder_ + "/root");
    ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
    EXPECT_EQ(read_file(folder_ + "/root/shared").value(), "0");
    EXPECT_TRUE(exists(folder_ + "/root/only149").value());
    ASSERT_TRUE(write_file_atomically(folder_ + "/root/new", "x").has_value());
    EXPECT_TRUE(exists(overlay.upper + "/new").value());
}

TEST_F(MountAsRoot, OverlayWithoutUpperIsReadOnlyAndBadOnesSayWhy) {
    Overlay overlay = layers(folder_, 2, "x");
    overlay.upper.clear();
    ASSERT_TRUE(mount_overlay(overlay, folder_ + "/root").has_value());
    EXPECT_FALSE(write_file_atomically(folder_ + "/root/new", "x").has_value());
    EXPECT_EQ(mount_overlay({}, folder_ + "/root").error().code, Code::invalid);
    EXPECT_EQ(mount_overlay({.lower = {"/nonexistent", "/"}}, folder_ + "/root").error().code, Code::not_found);
}

} // namespace
} // namespace skerry::os
