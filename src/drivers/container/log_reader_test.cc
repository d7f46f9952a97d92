#include "drivers/container/container_logs.h"

#include "os/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace skerry::drivers::container {
namespace {

namespace fs = std::filesystem;

class LogReading : public ::testing::Test {
protected:
    void SetUp() override {
        base_ = *os::mkdtemp("/tmp/skerry-log-");
        paths_ = {base_ + "/state", base_ + "/run"};
        ASSERT_TRUE(paths_.ensure());
        fs::create_directories(paths_.log_folder("x"));
    }
    void TearDown() override { fs::remove_all(base_); }
    void write(const std::string& file, const std::string& text) {
        std::ofstream(paths_.log_folder("x") + "/" + file, std::ios::app) << text;
    }
    static std::string line(const std::string& text, char kind = 'F', const std::string& stream = "stdout") {
        return "2026-01-02T03:04:05.000000006+00:00 " + stream + " " + kind + " " + text + "\n";
    }
    std::unique_ptr<LogReader> open(LogWindow window = {}) {
        ContainerLogs logs(paths_);
        auto reader = logs.open("x", window);
        EXPECT_TRUE(reader) << reader.error().message;
        return reader ? std::move(*reader) : nullptr;
    }
    static std::string all(LogReader& reader, std::size_t limit = 1 << 20) {
        std::string text;
        for (;;) {
            auto piece = reader.next(limit);
            EXPECT_TRUE(piece);
            if (!piece || piece->empty()) return text;
            EXPECT_LE(piece->size(), limit);
            text += *piece;
        }
    }
    std::string base_;
    Paths paths_;
};

TEST_F(LogReading, PutsPartsTogether) {
    write("current",
          line("one") + line("tw", 'P') + line("err", 'F', "stderr") + line("o") + line("") + "rubbish\n\n" + line("open", 'P'));
    auto reader = open();
    EXPECT_EQ(all(*reader), "one\nerr\ntwo\n\nopen\n");
    EXPECT_EQ(all(*open({.timestamps = true})).substr(0, 40), "2026-01-02T03:04:05.000000006+00:00 one\n");
}

TEST_F(LogReading, TakesWindows) {
    for (int i = 0; i < 1000; ++i)
        write(i < 300 ? "current.2" : i < 600 ? "current.1" : "current", line("line " + std::to_string(i)));
    EXPECT_EQ(all(*open({.tail = 2})), "line 998\nline 999\n");
    EXPECT_EQ(all(*open({.tail = 0})), "");
    auto last = all(*open({.tail = 701}));
    EXPECT_TRUE(last.starts_with("line 299\nline 300\n"));
    EXPECT_TRUE(all(*open()).starts_with("line 0\n"));
    EXPECT_EQ(all(*open({.limit_bytes = 10})), "line 0\nlin");
    EXPECT_EQ(all(*open(), 7), all(*open()));
    ContainerLogs logs(paths_);
    EXPECT_EQ(logs.open("x", {.previous = true}).error().code, Code::not_found);
    EXPECT_EQ(logs.open("y", {}).error().code, Code::not_found);
    EXPECT_EQ(logs.open("../x", {}).error().code, Code::invalid);
}

TEST_F(LogReading, AFastWriterLeadsNobodyOn) {
    write("current", line("1") + line("2"));
    auto reader = open({.tail = 1});
    // As a program that prints faster than we read.
    for (int i = 0; i < 100; ++i) write("current", line("more"));
    EXPECT_EQ(all(*reader), "2\n");
    EXPECT_EQ(all(*reader).size(), 500u) << "who follows goes on";
}

TEST_F(LogReading, FollowsThroughRotationAndRestart) {
    write("current", line("1"));
    auto reader = open({.tail = 0});
    EXPECT_EQ(all(*reader), "");
    write("current", line("2") + line("3").substr(0, 20));
    EXPECT_EQ(all(*reader), "2\n");
    write("current", line("3").substr(20));
    EXPECT_EQ(all(*reader), "3\n");
    ASSERT_TRUE(os::rename(paths_.log_folder("x") + "/current", paths_.log_folder("x") + "/current.1"));
    EXPECT_EQ(all(*reader), "");
    write("current.1", line("4"));
    write("current", line("5"));
    EXPECT_EQ(all(*reader), "4\n5\n");
    ASSERT_TRUE(keep_previous_log(paths_.log_folder("x")));
    write("previous", line("6"));
    write("current", line("7"));
    EXPECT_EQ(all(*reader), "6\n7\n");
    EXPECT_EQ(all(*open({.previous = true})), "1\n2\n3\n4\n5\n6\n");
}

TEST_F(LogReading, BoundsLongLines) {
    write("current", line(std::string(1 << 20, 'x')));
    for (int i = 0; i < 200; ++i) write("current", line(std::string(8 << 10, 'y'), 'P'));
    write("current", std::string(2 << 20, 'z'));
    auto text = all(*open(), 64 << 10);
    EXPECT_LT(text.size(), 4u << 20);
    EXPECT_NE(text.find("yyyy"), text.npos);
}

TEST_F(LogReading, RotatesBySizeAndForgetsTheGone) {
    ContainerLogs logs(paths_, {.bytes = 100, .files = 3, .gone = 2});
    for (const char* text : {"a", "b", "c", "d"}) {
        write("current", line(text) + line(text) + line(text));
        logs.rotate();
    }
    EXPECT_EQ(all(*open()), "c\nc\nc\nd\nd\nd\n");
    EXPECT_FALSE(*os::exists(paths_.log_folder("x") + "/current"));
    for (const char* name : {"y", "z"}) fs::create_directories(paths_.log_folder(name));
    fs::create_directories(paths_.instance("x"));
    logs.rotate();
    EXPECT_EQ(os::list(paths_.logs())->size(), 3u);
    fs::remove_all(paths_.instance("x"));
    fs::last_write_time(paths_.log_folder("x"), fs::file_time_type::clock::now() - std::chrono::hours(1));
    logs.rotate();
    EXPECT_EQ(*os::list(paths_.logs()), (std::vector<std::string>{"y", "z"}));
}

} // namespace
} // namespace skerry::drivers::container
