#include "cli/line/terminal.h"

#include "cli/line/progress.h"

#include <gtest/gtest.h>

namespace skerry::cli {

TEST(TextTable, AlignsColumns) {
    TextTable table;
    table.heading({"NAME", "STATUS", "AGE"});
    table.row({"till", "Running", "5m"});
    table.row({"a-longer-name", "-", "2d3h"});
    EXPECT_EQ(table.take(true), "NAME            STATUS    AGE\n"
                                "till            Running   5m\n"
                                "a-longer-name   -         2d3h\n");
    table.row({"x", "Waiting", ""});
    EXPECT_EQ(table.take(false), "x               Waiting\n");
    EXPECT_TRUE(table.empty());
}

TEST(TextTable, CountsCodePoints) {
    TextTable table;
    table.heading({"NAME", "B"});
    table.row({"café", "x"});
    EXPECT_EQ(table.take(true), "NAME   B\ncafé   x\n");
}

TEST(Printable, LeavesNoControls) {
    EXPECT_EQ(printable("a\033[2Jb\r\nc\x7f"), "a?[2Jb? c?");
    EXPECT_EQ(printable("a\nb\tc", true), "a\nb c");
    EXPECT_EQ(printable("é \xc2\x9b[31m"), "é ?[31m");
}

TEST(UploadLines, Bar) {
    auto bar = UploadLines::bar({.digest = "sha256:0123456789abcdef", .sent = 512, .total = 1024});
    EXPECT_EQ(bar.find("sha256:0123456789ab   50%  [############            ]"), 0u) << bar;
    EXPECT_NE(UploadLines::bar({.digest = "sha256:0", .sent = 0, .total = 0}).find("100%"), std::string::npos);
}

} // namespace skerry::cli
