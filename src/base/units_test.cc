#include "base/units.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace skerry {
namespace {

TEST(Units, Quantities) {
    EXPECT_EQ(parse_cpu("500m")->count, 500);
    EXPECT_EQ(parse_cpu("2")->count, 2000);
    EXPECT_EQ(parse_cpu("0.5")->count, 500);
    EXPECT_EQ(parse_bytes("128Mi")->count, 128 << 20);
    EXPECT_EQ(parse_bytes("1500k")->count, 1'500'000);
    EXPECT_EQ(parse_bytes("1e9")->count, 1'000'000'000);
    EXPECT_FALSE(parse_bytes(std::string_view("1\0x", 3)));
    for (const char* bad :
         {"", "half", "-1", "1 ", " 1", "1mm", "0x10", "inf", "nan", "1e400", "9999999999999999999999Pi", "1Ei", "m"}) {
        EXPECT_FALSE(parse_cpu(bad)) << bad;
        EXPECT_FALSE(parse_bytes(bad)) << bad;
    }
}

TEST(Units, TextReadsBack) {
    EXPECT_EQ(text(MilliCpu{1500}), "1500m");
    EXPECT_EQ(text(MilliCpu{2000}), "2");
    EXPECT_EQ(text(Bytes{1 << 30}), "1Gi");
    EXPECT_EQ(text(Bytes{0}), "0");
    EXPECT_TRUE(rc::check([] {
        MilliCpu cpu{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)};
        Bytes bytes{*rc::gen::inRange<std::int64_t>(0, 1LL << 50)};
        RC_ASSERT((parse_cpu(text(cpu)) == cpu));
        RC_ASSERT((parse_bytes(text(bytes)) == bytes));
    }));
}

TEST(Units, Shares) {
    EXPECT_EQ(parse_share("3", 10), 3);
    EXPECT_EQ(parse_share("0", 10), 0);
    EXPECT_EQ(parse_share("10%", 100), 10);
    EXPECT_EQ(parse_share("10%", 5), 1); // never rounded down to nothing
    EXPECT_EQ(parse_share("0%", 5), 0);
    for (const char* bad : {"", "%", "-1", "x", "1.5", "10 %"}) EXPECT_FALSE(parse_share(bad, 10)) << bad;
}

} // namespace
} // namespace skerry
