#include "depot/depot.h"

#include "depot/serve.h"
#include "env/fake_files.h"
#include "env/seeded_chance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::depot {
namespace {

using env::FakeFiles;
using env::Loss;
using env::SeededChance;

std::string bytes_of(std::size_t size, std::uint64_t seed = 1) {
    SeededChance chance(seed);
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(chance.bits());
    return bytes;
}

DepotOptions options(std::string boot = "boot-1") { return {.reserve = 0, .boot_id = std::move(boot), .sync_every = 1000}; }

std::unique_ptr<Depot> open(env::Files& files, DepotOptions with = options()) {
    auto depot = Depot::open(files, "/depot", with);
    EXPECT_TRUE(depot) << depot.error().message;
    return std::move(*depot);
}

TEST(Depot, keeps_and_serves_a_blob) {
    FakeFiles files;
    auto depot = open(files);
    std::string content = bytes_of(5000);
    Digest digest = depot->put(content).value();
    EXPECT_EQ(digest, Digest::of(content));
    EXPECT_TRUE(depot->has(digest).value());
    EXPECT_EQ(depot->size(digest).value(), 5000u);
    EXPECT_EQ(depot->read(digest, 4990, 100).value(), content.substr(4990));
    EXPECT_EQ(depot->read_whole(digest).value(), content);
    EXPECT_EQ(depot->read_whole(digest, 10).error().code, Code::exhausted);
    EXPECT_EQ(env::read_whole(files, depot->path(digest).value(), 5000).value(), content);
    EXPECT_EQ(depot->put(content).value(), digest) << "again";
    EXPECT_EQ(depot->put("").value(), Digest::of(""));
    EXPECT_EQ(depot->list().value().size(), 2u);
    EXPECT_EQ(depot->size(Digest::of("other")).error().code, Code::not_found);
    EXPECT_EQ(open(files)->read_whole(digest).value(), content);
}

TEST(Depot, takes_ranges_in_any_order_and_more_than_once) {
    FakeFiles files;
    auto depot = open(files);
    SeededChance chance(3);
    for (int round = 0; round < 200; ++round) {
        std::string content = bytes_of(1 + chance.bits() % 3000, static_cast<std::uint64_t>(round));
        Digest digest = Digest::of(content);
        ASSERT_EQ(depot->open_partial(digest, content.size()).value(), 0u);
        std::uint64_t have = 0;
        for (int i = 0; have < content.size(); ++i) {
            std::uint64_t offset = i > 200 ? have : chance.bits() % content.size();
            have = depot->write(digest, offset, std::string_view(content).substr(offset, 1 + chance.bits() % 700)).value();
        }
        ASSERT_TRUE(depot->finish(digest)) << round;
        ASSERT_EQ(depot->read_whole(digest).value(), content);
    }
    EXPECT_TRUE(files.list("/depot/partial").value().empty());
}

TEST(Depot, wrong_content_is_deleted_and_both_digests_named) {
    FakeFiles files;
    auto depot = open(files);
    Digest wanted = Digest::of("right"), found = Digest::of("wrong");
    ASSERT_TRUE(depot->open_partial(wanted, 5));
    ASSERT_TRUE(depot->write(wanted, 0, "wrong"));
    auto finished = depot->finish(wanted);
    EXPECT_EQ(finished.error().code, Code::corrupt);
    EXPECT_THAT(finished.error().message, testing::AllOf(testing::HasSubstr(wanted.text()), testing::HasSubstr(found.text())));
    EXPECT_FALSE(depot->has(wanted).value());
    EXPECT_EQ(depot->have(wanted).value(), 0u);
    EXPECT_TRUE(files.list("/depot/partial").value().empty());
}

TEST(Depot, misuse_is_refused) {
    FakeFiles files;
    auto depot = open(files);
    Digest digest = Digest::of("right");
    EXPECT_EQ(depot->write(digest, 0, "x").error().code, Code::not_found);
    EXPECT_EQ(depot->finish(digest).error().code, Code::not_found);
    ASSERT_TRUE(depot->open_partial(digest, 5));
    EXPECT_EQ(depot->open_partial(digest, 6).error().code, Code::conflict);
    EXPECT_EQ(depot->write(digest, 4, "xx").error().code, Code::invalid);
    EXPECT_EQ(depot->write(digest, ~std::uint64_t{0}, "xx").error().code, Code::invalid);
    EXPECT_EQ(depot->finish(digest).error().code, Code::conflict);
    ASSERT_TRUE(depot->write(digest, 0, "right"));
    ASSERT_TRUE(depot->finish(digest));
    EXPECT_TRUE(depot->finish(digest)) << "repeated";
    EXPECT_EQ(depot->open_partial(digest, 5).value(), 5u);
    EXPECT_EQ(depot->open_partial(digest, 6).error().code, Code::conflict);
}

TEST(Depot, resumes_at_the_byte_after_a_kill_and_near_it_after_a_power_cut) {
    FakeFiles files;
    std::string content = bytes_of(10'000);
    Digest digest = Digest::of(content);
    {
        auto depot = open(files);
        ASSERT_TRUE(depot->open_partial(digest, content.size()));
        for (std::uint64_t at = 0; at < 3700; at += 100) ASSERT_TRUE(depot->write(digest, at, content.substr(at, 100)));
        ASSERT_TRUE(depot->write(digest, 5000, content.substr(5000, 100))) << "beyond a gap";
    }
    EXPECT_EQ(open(files)->have(digest).value(), 3700u);
    EXPECT_EQ(open(files)->open_partial(digest, content.size()).value(), 3700u) << "the page cache outlives a process";

    SeededChance chance(1);
    files.power_cut(Loss::everything, chance);
    auto depot = open(files, options("boot-2"));
    std::uint64_t have = depot->open_partial(digest, content.size()).value();
    EXPECT_EQ(have, 3000u) << "synced every 1000";
    ASSERT_TRUE(depot->write(digest, have, content.substr(have)));
    ASSERT_TRUE(depot->finish(digest));
    EXPECT_EQ(depot->read_whole(digest).value(), content);
}

TEST(Depot, keeps_a_reserve_and_says_what_is_missing) {
    FakeFiles files;
    files.limit(10'000);
    auto depot = open(files, {.reserve = 2000, .boot_id = "b", .sync_every = 1000});
    ASSERT_TRUE(depot->open_partial(Digest::of("1"), 5000));
    auto refused = depot->open_partial(Digest::of("2"), 4000);
    EXPECT_EQ(refused.error().code, Code::exhausted);
    EXPECT_THAT(refused.error().message, testing::AllOf(testing::HasSubstr("4000 bytes"), testing::HasSubstr("10000 bytes"),
                                                        testing::HasSubstr("5000 bytes")));
    EXPECT_TRUE(depot->open_partial(Digest::of("2"), 3000));
    ASSERT_TRUE(depot->abandon(Digest::of("1")));
    EXPECT_TRUE(depot->open_partial(Digest::of("3"), 4000));
    EXPECT_EQ(depot->open_partial(Digest::of("4"), ~std::uint64_t{0} >> 2).error().code, Code::exhausted);
}

TEST(Depot, a_full_disk_loses_nothing_that_was_there) {
    FakeFiles files;
    auto depot = open(files);
    Digest kept = depot->put(bytes_of(1000)).value();
    files.limit(2500);
    std::string content = bytes_of(5000, 9);
    Digest digest = Digest::of(content);
    files.limit(100'000);
    ASSERT_TRUE(depot->open_partial(digest, content.size()));
    files.limit(3500);
    EXPECT_EQ(depot->write(digest, 0, content).error().code, Code::exhausted);
    EXPECT_EQ(depot->read_whole(kept).value(), bytes_of(1000));
    files.limit(100'000);
    ASSERT_TRUE(depot->write(digest, 0, content));
    EXPECT_TRUE(depot->finish(digest));
}

TEST(Depot, sweeps_what_nobody_holds) {
    FakeFiles files;
    auto depot = open(files);
    Digest kept = depot->put("kept").value(), pinned = depot->put("pinned").value(), waste = depot->put("waste").value();
    Digest coming = Digest::of("coming"), stale = Digest::of("stale");
    ASSERT_TRUE(depot->open_partial(coming, 6));
    ASSERT_TRUE(depot->open_partial(stale, 5));
    ASSERT_TRUE(depot->write(stale, 0, "st"));
    ASSERT_TRUE(depot->suspend(stale));
    depot->pin(pinned);
    depot->pin(pinned);
    depot->unpin(pinned);
    auto swept = depot->sweep({kept}).value();
    EXPECT_EQ(swept.blobs, 2u);
    EXPECT_EQ(swept.bytes, 5u + 2u);
    EXPECT_TRUE(depot->has(kept).value() && depot->has(pinned).value());
    EXPECT_FALSE(depot->has(waste).value());
    EXPECT_EQ(depot->have(stale).value(), 0u);
    ASSERT_TRUE(depot->write(coming, 0, "coming"));
    EXPECT_TRUE(depot->finish(coming));
    depot->unpin(pinned);
    EXPECT_EQ(depot->sweep({}).value().blobs, 3u);
}

TEST(Depot, scrub_sets_damaged_blobs_aside) {
    FakeFiles files;
    auto depot = open(files);
    Digest good = depot->put(bytes_of(3000)).value(), bad = depot->put(bytes_of(3000, 2)).value();
    files.flip_bit(depot->path(bad).value(), 12345);
    EXPECT_TRUE(depot->scrub(good).value());
    EXPECT_FALSE(depot->scrub(bad).value());
    EXPECT_FALSE(depot->has(bad).value());
    EXPECT_TRUE(depot->has(good).value());
    EXPECT_EQ(files.list("/depot/damaged").value().size(), 1u);
    EXPECT_EQ(depot->scrub(bad).error().code, Code::not_found);
    EXPECT_EQ(depot->put(bytes_of(3000, 2)).value(), bad) << "it can come again";
    ASSERT_TRUE(depot->sweep({good, bad}));
    EXPECT_TRUE(files.list("/depot/damaged").value().empty());
}

/// Everything a transfer does, with the power cut at each step: nothing wrong is ever served, what was acknowledged is there, and
/// the transfer can be completed from wherever it stands.
TEST(Depot, survives_a_power_cut_at_every_step) {
    std::string content = bytes_of(4200), small = "a manifest";
    Digest digest = Digest::of(content), little = Digest::of(small);
    std::uint64_t steps = 0, checked = 0;
    for (std::uint64_t n = 0;; ++n) {
        FakeFiles files;
        SeededChance chance(n + 100);
        files.cut_after(n);
        bool little_acknowledged = false, acknowledged = false;
        auto work = [&]() -> Result<void> {
            auto depot = TRY(Depot::open(files, "/depot", options()));
            TRY_VOID(depot->put(small));
            little_acknowledged = true;
            TRY_VOID(depot->open_partial(digest, content.size()));
            for (std::uint64_t at : {700, 0, 1400, 2100}) TRY_VOID(depot->write(digest, at, content.substr(at, 700)));
            TRY_VOID(depot->suspend(digest));
            TRY_VOID(depot->open_partial(digest, content.size()));
            for (std::uint64_t at : {2800, 3500}) TRY_VOID(depot->write(digest, at, content.substr(at, 700)));
            TRY_VOID(depot->finish(digest));
            acknowledged = true;
            TRY_VOID(depot->finish(digest));
            TRY_VOID(depot->sweep({little, digest}));
            return {};
        };
        auto outcome = work();
        ASSERT_EQ(outcome.has_value(), !files.dark()) << (outcome ? "" : outcome.error().message);
        for (int luck = 0; luck < 30; ++luck) {
            Loss loss = luck == 0 ? Loss::everything : luck == 1 ? Loss::nothing : Loss::chance;
            auto disk = files.after_cut(loss, chance);
            auto opened = Depot::open(*disk, "/depot", options("boot-2"));
            ASSERT_TRUE(opened) << "step " << n << ": " << opened.error().message;
            Depot& depot = **opened;
            auto entries = depot.list().value();
            for (const auto& entry : entries) {
                ASSERT_EQ(Digest::of(depot.read_whole(entry.digest).value()), entry.digest) << "step " << n;
            }
            if (little_acknowledged) {
                ASSERT_TRUE(depot.has(little).value()) << "step " << n;
            }
            if (acknowledged) {
                ASSERT_TRUE(depot.has(digest).value()) << "step " << n;
            }
            auto have = depot.open_partial(digest, content.size());
            ASSERT_TRUE(have) << have.error().message;
            if (*have < content.size()) {
                ASSERT_TRUE(depot.write(digest, *have, content.substr(*have)));
            }
            // What a mark calls durable is: completing it never finds wrong content.
            auto finished = depot.finish(digest);
            ASSERT_TRUE(finished) << "step " << n << ": " << finished.error().message;
            ASSERT_EQ(depot.read_whole(digest).value(), content);
            ++checked;
        }
        steps = n;
        if (outcome) break;
        ASSERT_LT(n, 500u);
    }
    EXPECT_GT(steps, 40u);
    EXPECT_EQ(checked, (steps + 1) * 30);
}

/// The same with each step failing once (an I/O error) while the power stays on: the error comes out, and a retry succeeds.
TEST(Depot, survives_an_error_at_every_step) {
    std::string content = bytes_of(2500);
    Digest digest = Digest::of(content);
    for (std::uint64_t n = 1;; ++n) {
        FakeFiles files;
        files.fail_step(n, {Code::internal, "Input/output error"});
        std::unique_ptr<Depot> depot;
        int failures = 0;
        auto work = [&]() -> Result<void> {
            if (!depot) depot = TRY(Depot::open(files, "/depot", options()));
            std::uint64_t have = TRY(depot->open_partial(digest, content.size()));
            for (; have < content.size();) have = TRY(depot->write(digest, have, std::string_view(content).substr(have, 600)));
            return depot->finish(digest);
        };
        for (auto outcome = work(); !outcome; outcome = work())
            ASSERT_LT(++failures, 3) << "step " << n << ": " << outcome.error().message;
        ASSERT_EQ(depot->read_whole(digest).value(), content);
        SeededChance chance(n);
        auto disk = files.after_cut(Loss::everything, chance);
        ASSERT_EQ(open(*disk, options("boot-2"))->read_whole(digest).value(), content) << "step " << n;
        if (failures == 0) break;
        ASSERT_LT(n, 200u);
    }
}

TEST(Serve, gives_the_range_and_no_more) {
    FakeFiles files;
    auto depot = open(files);
    std::string content = bytes_of(1000);
    Digest digest = depot->put(content).value();
    auto all = [&](RangeRequest request) {
        Serve serve(*depot, std::move(request));
        RangeAnswer answer = serve.begin();
        if (!answer.granted) return "no " + answer.why;
        EXPECT_EQ(answer.size, 1000u);
        std::string bytes;
        for (;;) {
            std::string next = serve.next(64).value();
            if (next.empty()) break;
            EXPECT_LE(next.size(), 64u);
            bytes += next;
        }
        return bytes;
    };
    EXPECT_EQ(all({digest, 0, 1000}), content);
    EXPECT_EQ(all({digest, 900, 1'000'000}), content.substr(900));
    EXPECT_EQ(all({digest, 10, 20}), content.substr(10, 20));
    EXPECT_EQ(all({digest, 1000, 20}), "");
    EXPECT_THAT(all({digest, 1001, 20}), testing::HasSubstr("beyond the end"));
    EXPECT_THAT(all({Digest::of("none"), 0, 20}), testing::HasSubstr("is not here"));
    Serve serve(*depot, {digest, 0, 1000});
    ASSERT_TRUE(serve.begin().granted);
    ASSERT_TRUE(depot->sweep({}));
    EXPECT_FALSE(serve.next(100)) << "swept under it";
}

} // namespace
} // namespace skerry::depot
