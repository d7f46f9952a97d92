#include "link/courier_file.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "trust/keys/key.h"
#include "trust/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::link {

namespace {

using testing::HasSubstr;

struct Packed {
    std::string receiver = trust::make_key().value(), sender = trust::make_key().value();
    std::string slices = std::string(150'000, 's');
    std::vector<std::string> blobs{std::string(70'000, 'a'), "b", std::string(courier_piece, 'c')};
    std::string file;

    Packed() {
        CourierContents contents{.salt = "salt", .slices = slices.size(), .slices_hash = hex(sha256(slices))};
        for (const std::string& blob : blobs) contents.blobs.push_back({"sha256:" + hex(sha256(blob)), blob.size()});
        contents.left_out = {"retail/pos:9 (8.0 GiB)"};
        contents.wants = {"sha256:ab"};
        CourierHeader header{.from = trust::Identity::core("core", CellId(Id{1, 1})),
                             .to = trust::Identity::of_site("vessel-7", CellId(Id{2, 2})),
                             .id = Id{3, 3},
                             .made = {1'800'000'000, 0},
                             .version = "1",
                             .base = 100,
                             .until = 120,
                             .receiver_key = trust::key_fingerprint(receiver).value()};
        auto writer = CourierWriter::begin(header, contents, trust::public_key(receiver).value(), sender).value();
        file = writer.beginning() + writer.add(slices).value();
        for (const std::string& blob : blobs) file += writer.add(blob).value();
        EXPECT_FALSE(writer.add("more"));
        file += writer.finish().value();
        EXPECT_EQ(file.size(), writer.size());
    }

    struct Read {
        Result<void> outcome;
        std::string slices;
        std::vector<std::string> blobs;
        CourierContents contents;
    };
    /// As its receiver reads it, in portions of this size.
    Read read(std::string_view bytes, std::size_t portion = 64 << 10) const {
        Read read;
        CourierReader reader([&](const CourierHeader& header, std::string_view text, std::string_view signature) {
            EXPECT_EQ(header.to.name, "vessel-7");
            signed_.emplace_back(text, signature);
            return Result<std::string>(receiver);
        });
        for (std::size_t at = 0; at < bytes.size(); at += portion) {
            auto pieces = reader.take(bytes.substr(at, portion));
            if (!pieces) {
                read.outcome = std::unexpected(pieces.error());
                return read;
            }
            for (auto& piece : *pieces) {
                read.blobs.resize(std::max(read.blobs.size(), piece.blob + 1));
                EXPECT_EQ(read.blobs[piece.blob].size(), piece.at);
                read.blobs[piece.blob] += piece.bytes;
            }
        }
        read.outcome = reader.end();
        read.slices = reader.slices();
        if (reader.contents()) read.contents = *reader.contents();
        return read;
    }
    mutable std::vector<std::pair<std::string, std::string>> signed_;
};

TEST(CourierFile, ComesOutAsItWentInWhateverThePortions) {
    Packed packed;
    for (std::size_t portion : {1'000u, 65'536u, 1'000'000u}) {
        auto read = packed.read(packed.file, portion);
        ASSERT_TRUE(read.outcome) << read.outcome.error().message;
        EXPECT_EQ(read.slices, packed.slices);
        EXPECT_EQ(read.blobs, packed.blobs);
        EXPECT_EQ(read.contents.left_out.size(), 1u);
        EXPECT_EQ(read.contents.wants.size(), 1u);
    }
    auto header = read_courier_header(packed.file);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->from.title(), "core core");
    EXPECT_EQ(header->base, 100u);
    EXPECT_EQ(header->until, 120u);
    EXPECT_EQ(packed.file.find("vessel-7"), packed.file.rfind("vessel-7")) << "and what is sealed is not to be read";
}

TEST(CourierFile, CutShortAnywhereItIsRefused) {
    Packed packed;
    for (std::size_t size = 0; size < packed.file.size(); size += size < 3'000 ? 1 : 977) {
        auto read = packed.read(std::string_view(packed.file).substr(0, size), 1 << 20);
        ASSERT_FALSE(read.outcome) << size;
        EXPECT_EQ(read.outcome.error().code, Code::corrupt) << read.outcome.error().message;
    }
    EXPECT_FALSE(packed.read(packed.file + "x").outcome) << "nor with more behind it";
}

TEST(CourierFile, AByteThatChangedIsFound) {
    Packed packed;
    ASSERT_TRUE(packed.read(packed.file).outcome);
    auto [text, signature] = packed.signed_.front();
    for (std::size_t n = 0; n < packed.file.size(); n += n < 3'000 ? 1 : 977) {
        std::string changed = packed.file;
        changed[n] = static_cast<char>(changed[n] ^ 0x20);
        packed.signed_.clear();
        auto read = packed.read(changed, 1 << 20);
        // What is before the pieces is covered by the signature, which `Admit` looks at.
        bool shown = !packed.signed_.empty() && packed.signed_.front() == std::pair(text, signature);
        EXPECT_TRUE(!read.outcome || !shown) << n;
    }
}

TEST(CourierFile, PiecesThatChangePlacesOrAreLeftOutAreFound) {
    Packed packed;
    std::size_t header = 22 + 4 + read_big_endian(std::string(4, '\0') + packed.file.substr(22, 4));
    std::size_t first =
        header + 2 + static_cast<unsigned char>(packed.file[header]) * 256u + static_cast<unsigned char>(packed.file[header + 1]);
    std::size_t whole = courier_piece + 20;
    std::string one = packed.file.substr(first, whole), two = packed.file.substr(first + whole, whole);
    std::string swapped = packed.file, missing = packed.file;
    swapped.replace(first, 2 * whole, two + one);
    missing.erase(first, whole);
    EXPECT_THAT(packed.read(swapped).outcome.error().message, HasSubstr("not in its place"));
    EXPECT_FALSE(packed.read(missing).outcome);
}

TEST(CourierFile, WhatIsNoneSaysSo) {
    EXPECT_THAT(read_courier_header("PK\3\4 something else").error().message, HasSubstr("no courier file"));
    EXPECT_THAT(read_courier_header("skerry courier file 2\n").error().message, HasSubstr("upgrade"));
    EXPECT_THAT(read_courier_header("skerry cour").error().message, HasSubstr("copy it again"));
    std::string endless = std::string("skerry courier file 1\n") + std::string(4, '\xff');
    EXPECT_EQ(read_courier_header(endless).error().code, Code::invalid);
}

} // namespace

} // namespace skerry::link
