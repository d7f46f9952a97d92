#include "os/files.h"
#include "os/os_fixture.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace skerry::os {
namespace {

using Files = FolderTest;
using FilesAsRoot = RootTest;

TEST_F(Files, FoldersAreMadeOnceAndFilesInTheWayAreNamed) {
    EXPECT_TRUE(mkdirs(folder_ + "/a/b/c").has_value());
    EXPECT_TRUE(mkdirs(folder_ + "/a/b/c/").has_value());
    ASSERT_TRUE(write_file_atomically(folder_ + "/a/file", "x").has_value());
    auto blocked = mkdirs(folder_ + "/a/file/below");
    ASSERT_FALSE(blocked.has_value());
    EXPECT_EQ(blocked.error().code, Code::exists);
    EXPECT_NE(blocked.error().message.find("/a/file"), std::string::npos);
}

TEST_F(Files, AtomicWriteReplacesWholeContentAndLeavesNoTemporary) {
    std::string path = folder_ + "/state";
    ASSERT_TRUE(write_file_atomically(path, "a long first version").has_value());
    ASSERT_TRUE(write_file_atomically(path, "second", 0600).has_value());
    EXPECT_EQ(read_file(path).value(), "second");
    EXPECT_EQ(list(folder_).value(), std::vector<std::string>{"state"});
}

TEST_F(Files, ReadingIsBounded) {
    ASSERT_TRUE(write_file_atomically(folder_ + "/big", std::string(100'000, 'x')).has_value());
    EXPECT_EQ(read_file(folder_ + "/big", 1000).error().code, Code::exhausted);
    EXPECT_EQ(read_file(folder_ + "/none").error().code, Code::not_found);
    EXPECT_FALSE(read_file("/proc/self/status").value().empty());
}

TEST_F(Files, RemoveTreeDoesNotFollowLinks) {
    ASSERT_TRUE(mkdirs(folder_ + "/outside").has_value());
    ASSERT_TRUE(write_file_atomically(folder_ + "/outside/kept", "x").has_value());
    ASSERT_TRUE(mkdirs(folder_ + "/tree/deep/er").has_value());
    ASSERT_TRUE(symlink("../../outside", folder_ + "/tree/deep/link").has_value());
    ASSERT_TRUE(symlink("nowhere", folder_ + "/tree/dangling").has_value());
    ASSERT_TRUE(remove_tree(folder_ + "/tree").has_value());
    EXPECT_FALSE(exists(folder_ + "/tree").value());
    EXPECT_TRUE(exists(folder_ + "/outside/kept").value());
    EXPECT_TRUE(remove_tree(folder_ + "/tree").has_value());
    // The top itself may be a link: the link goes, what it shows stays.
    ASSERT_TRUE(symlink("outside", folder_ + "/top").has_value());
    ASSERT_TRUE(remove_tree(folder_ + "/top").has_value());
    EXPECT_TRUE(exists(folder_ + "/outside/kept").value());
}

TEST_F(FilesAsRoot, RemoveTreeStopsAtMounts) {
    ASSERT_TRUE(mkdirs(folder_ + "/kept").has_value());
    ASSERT_TRUE(write_file_atomically(folder_ + "/kept/file", "x").has_value());
    ASSERT_TRUE(mkdirs(folder_ + "/tree/a/mounted").has_value());
    // The same file system: device numbers would not tell.
    ASSERT_TRUE(bind_mount(folder_ + "/kept", folder_ + "/tree/a/mounted").has_value());
    auto stopped = remove_tree(folder_ + "/tree");
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, Code::conflict);
    EXPECT_FALSE(remove_tree(folder_ + "/tree/a/mounted").has_value());
    EXPECT_TRUE(exists(folder_ + "/kept/file").value());
    ASSERT_TRUE(umount(folder_ + "/tree/a/mounted").has_value());
    EXPECT_TRUE(remove_tree(folder_ + "/tree").has_value());
}

TEST_F(Files, LockIsHeldByOneAndFreedWithItsHolder) {
    {
        auto held = FileLock::take(folder_ + "/lock");
        ASSERT_TRUE(held.has_value());
        auto second = FileLock::take(folder_ + "/lock");
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code, Code::conflict);
    }
    EXPECT_TRUE(FileLock::take(folder_ + "/lock").has_value());
}

} // namespace
} // namespace skerry::os
