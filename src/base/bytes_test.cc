#include "base/bytes.h"
#include "base/digest.h"
#include "base/ids.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace skerry {
namespace {

TEST(Bytes, HexAndBase64ReadBack) {
    EXPECT_EQ(base64("foob"), "Zm9vYg==");
    EXPECT_EQ(unbase64("Zm9vYmE="), "fooba");
    EXPECT_EQ(hex(std::string("\0\xff", 2)), "00ff");
    EXPECT_EQ(unhex("00FF"), std::string("\0\xff", 2));
    EXPECT_TRUE(rc::check([](const std::string& bytes) {
        RC_ASSERT((unhex(hex(bytes)) == bytes));
        RC_ASSERT((unbase64(base64(bytes)) == bytes));
    }));
    for (const char* bad : {"a", "0g", " 0"}) EXPECT_FALSE(unhex(bad)) << bad;
    for (const char* bad : {"a", "ab", "abc", "ab=c", "====", "a b=", "Zm9v\n", "Zm9vYg=", "Zg==Zg=="})
        EXPECT_FALSE(unbase64(bad)) << bad;
}

TEST(Bytes, BigEndian) {
    EXPECT_EQ(big_endian(0x0102030405060708), "\x01\x02\x03\x04\x05\x06\x07\x08");
    EXPECT_TRUE(rc::check([](std::uint64_t value) { RC_ASSERT(read_big_endian(big_endian(value)) == value); }));
}

TEST(Ids, ReadBackInBothForms) {
    EXPECT_TRUE(rc::check([](std::uint64_t high, std::uint64_t low) {
        Id id{high, low};
        RC_ASSERT((Id::parse(id.text()) == id));
        RC_ASSERT((Id::from_bytes(id.bytes()) == id));
        RC_ASSERT((id.text().size() == 32u));
    }));
    EXPECT_FALSE(Id{});
    for (const char* bad : {"", "0", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"})
        EXPECT_FALSE(Id::parse(bad)) << bad;
    EXPECT_FALSE(Id::from_bytes("short"));
}

TEST(Digest, OfASetDoesNotDependOnOrder) {
    EXPECT_TRUE(rc::check([](std::uint64_t key, const std::vector<std::string>& items) {
        Digest forward, backward, gone;
        for (auto& item : items) forward += keyed_digest(key, item);
        for (auto item = items.rbegin(); item != items.rend(); ++item) backward += keyed_digest(key, *item);
        RC_ASSERT((forward == backward));
        gone = forward;
        for (auto& item : items) gone -= keyed_digest(key, item);
        RC_ASSERT((gone == Digest()));
        RC_ASSERT((Digest::from_bytes(forward.bytes()) == forward));
    }));
    EXPECT_NE(keyed_digest(1, "a"), keyed_digest(2, "a"));
    EXPECT_NE(keyed_digest(1, "a"), keyed_digest(1, "b"));
}

TEST(Digest, Sha256) {
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 pieces;
    pieces.add("a");
    pieces.add("");
    pieces.add("bc");
    EXPECT_EQ(pieces.finish(), sha256("abc"));
}

} // namespace
} // namespace skerry
