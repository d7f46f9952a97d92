#pragma once

#include "os/files.h"
#include "os/mount.h"

#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

namespace skerry::os {

/// A temporary folder, unmounted and removed at the end.
class FolderTest : public testing::Test {
protected:
    void SetUp() override { folder_ = mkdtemp("/tmp/skerry-os-").value(); }
    void TearDown() override {
        EXPECT_TRUE(umount_beneath(folder_).has_value());
        EXPECT_TRUE(remove_tree(folder_).has_value());
    }
    static bool is_root() { return ::geteuid() == 0; }

    std::string folder_;
};

/// Mounts, cgroups and namespaces need root.
class RootTest : public FolderTest {
protected:
    void SetUp() override {
        FolderTest::SetUp();
        if (!is_root()) GTEST_SKIP() << "needs root: run the tests with sudo";
    }
};

} // namespace skerry::os
