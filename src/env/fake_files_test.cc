#include "env/fake_files.h"
#include "env/seeded_chance.h"

#include <gtest/gtest.h>

#include <set>

namespace skerry::env {
namespace {

std::string content(Files& files, const std::string& path) {
    auto bytes = read_whole(files, path, 1 << 20);
    return bytes ? *bytes : "none: " + bytes.error().message;
}

std::unique_ptr<File> make(Files& files, const std::string& path) {
    auto file = files.open(path, Files::Mode::create);
    EXPECT_TRUE(file);
    return std::move(*file);
}

TEST(FakeFiles, reads_back_what_was_written_also_past_the_end) {
    FakeFiles files;
    auto file = make(files, "/a");
    ASSERT_TRUE(file->write(3, "xyz"));
    EXPECT_EQ(content(files, "/a"), std::string("\0\0\0xyz", 6));
    EXPECT_EQ(file->read(4, 100).value(), "yz");
    EXPECT_EQ(file->read(6, 1).value(), "");
    ASSERT_TRUE(file->truncate(4));
    EXPECT_EQ(file->size().value(), 4u);
}

TEST(FakeFiles, folders_and_errors) {
    FakeFiles files;
    EXPECT_EQ(files.open("/no/file", Files::Mode::create).error().code, Code::not_found);
    EXPECT_EQ(files.open("/none", Files::Mode::write).error().code, Code::not_found);
    ASSERT_TRUE(files.make_folder("/f"));
    EXPECT_TRUE(files.make_folder("/f")) << "making a folder again is fine";
    make(files, "/f/b");
    make(files, "/f/a");
    EXPECT_EQ(files.list("/f").value(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(files.remove("/f").error().code, Code::conflict);
    ASSERT_TRUE(files.rename("/f/a", "/f/b"));
    EXPECT_EQ(files.list("/f").value(), (std::vector<std::string>{"b"}));
    EXPECT_EQ(files.remove("/f/a").error().code, Code::not_found);
    EXPECT_EQ(files.make_folder("/f/b").error().code, Code::exists);
    auto reader = files.open("/f/b", Files::Mode::read);
    EXPECT_FALSE((*reader)->write(0, "x"));
}

TEST(FakeFiles, a_cut_keeps_what_was_synced_and_loses_the_rest) {
    FakeFiles files;
    SeededChance chance(1);
    auto file = make(files, "/a");
    ASSERT_TRUE(file->write(0, "safe"));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(files.after_cut(Loss::everything, chance)->exists("/a").value(), false) << "its folder was never synced";
    ASSERT_TRUE(files.sync_folder("/"));
    ASSERT_TRUE(file->write(4, " lost"));
    EXPECT_EQ(content(*files.after_cut(Loss::everything, chance), "/a"), "safe");
    EXPECT_EQ(content(*files.after_cut(Loss::nothing, chance), "/a"), "safe lost");
    files.power_cut(Loss::everything, chance);
    EXPECT_EQ(content(files, "/a"), "safe");
    EXPECT_FALSE(file->read(0, 1)) << "a file opened before the cut is dead";
}

TEST(FakeFiles, chance_finds_torn_dropped_and_reordered_writes) {
    FakeFiles files;
    SeededChance chance(7);
    auto file = make(files, "/a");
    ASSERT_TRUE(files.sync_folder("/"));
    ASSERT_TRUE(file->write(0, std::string(1024, 'a')));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(file->write(0, std::string(512, 'b')));
    ASSERT_TRUE(file->write(512, std::string(512, 'c')));
    bool dropped = false, whole = false, torn = false, second_alone = false, first_alone = false;
    for (int i = 0; i < 300; ++i) {
        std::string found = content(*files.after_cut(Loss::chance, chance), "/a");
        ASSERT_EQ(found.size(), 1024u);
        for (char c : found) ASSERT_TRUE(c == 'a' || c == 'b' || c == 'c');
        std::string_view first(found.data(), 512), second(found.data() + 512, 512);
        bool b = first == std::string(512, 'b'), c = second == std::string(512, 'c');
        bool a1 = first == std::string(512, 'a'), a2 = second == std::string(512, 'a');
        dropped |= a1 && a2;
        whole |= b && c;
        first_alone |= b && a2;
        second_alone |= a1 && c;
        torn |= (!b && !a1) || (!c && !a2);
    }
    EXPECT_TRUE(dropped && whole && torn && first_alone && second_alone);
}

TEST(FakeFiles, folder_operations_survive_as_a_prefix_and_renames_whole) {
    FakeFiles files;
    SeededChance chance(3);
    ASSERT_TRUE(files.make_folder("/x"));
    ASSERT_TRUE(files.make_folder("/y"));
    ASSERT_TRUE(files.sync_folder("/"));
    make(files, "/x/1");
    ASSERT_TRUE(files.rename("/x/1", "/y/2"));
    make(files, "/x/3");
    std::set<std::string> outcomes;
    for (int i = 0; i < 100; ++i) {
        auto after = files.after_cut(Loss::chance, chance);
        std::string seen;
        for (auto path : {"/x/1", "/y/2", "/x/3"})
            if (after->exists(path).value()) seen += path;
        outcomes.insert(seen);
    }
    EXPECT_EQ(outcomes, (std::set<std::string>{"", "/x/1", "/y/2", "/y/2/x/3"}));
    ASSERT_TRUE(files.sync_folder("/y"));
    auto after = files.after_cut(Loss::everything, chance);
    EXPECT_TRUE(after->exists("/y/2").value());
    EXPECT_FALSE(after->exists("/x/1").value());
    EXPECT_FALSE(after->exists("/x/3").value()) << "another folder's later step is not covered";
}

TEST(FakeFiles, write_whole_is_old_or_new_at_every_step) {
    for (std::uint64_t n = 0;; ++n) {
        FakeFiles files;
        SeededChance chance(n);
        ASSERT_TRUE(write_whole(files, "/key", "old content"));
        files.cut_after(files.steps() + n);
        auto written = write_whole(files, "/key", std::string(3000, 'n'));
        EXPECT_EQ(written.has_value(), !files.dark());
        for (int i = 0; i < 40; ++i) {
            Loss loss = i == 0 ? Loss::everything : i == 1 ? Loss::nothing : Loss::chance;
            std::string found = content(*files.after_cut(loss, chance), "/key");
            if (written) {
                ASSERT_EQ(found, std::string(3000, 'n'));
            } else {
                ASSERT_TRUE(found == "old content" || found == std::string(3000, 'n')) << n << ": " << found.substr(0, 40);
            }
        }
        if (written) break;
        ASSERT_LT(n, 20u);
    }
}

TEST(FakeFiles, a_full_disk_takes_what_fits_and_says_so) {
    FakeFiles files;
    files.limit(10);
    auto file = make(files, "/a");
    ASSERT_TRUE(file->write(0, "12345678"));
    EXPECT_EQ(files.free().value(), 2u);
    auto full = file->write(8, "9abc");
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::exhausted);
    EXPECT_EQ(content(files, "/a"), "123456789a");
    EXPECT_TRUE(file->write(0, "overwrites")) << "overwriting needs no room";
}

TEST(FakeFiles, planned_errors_happen_once) {
    FakeFiles files;
    auto file = make(files, "/a");
    files.fail_step(files.steps() + 1, {Code::internal, "Input/output error"});
    EXPECT_FALSE(file->write(0, "x"));
    EXPECT_EQ(file->size().value(), 0u);
    EXPECT_TRUE(file->write(0, "x"));
}

TEST(FakeFiles, flipped_bits_are_on_the_platter) {
    FakeFiles files;
    SeededChance chance(1);
    ASSERT_TRUE(write_whole(files, "/a", "A"));
    files.flip_bit("/a", 1);
    EXPECT_EQ(content(files, "/a"), "C");
    EXPECT_EQ(content(*files.after_cut(Loss::everything, chance), "/a"), "C");
}

TEST(Files, read_whole_is_bounded) {
    FakeFiles files;
    ASSERT_TRUE(write_whole(files, "/a", "12345"));
    EXPECT_EQ(read_whole(files, "/a", 5).value(), "12345");
    EXPECT_EQ(read_whole(files, "/a", 4).error().code, Code::exhausted);
    EXPECT_EQ(read_whole(files, "/b", 4).error().code, Code::not_found);
}

} // namespace
} // namespace skerry::env
