#include "depot/plan.h"

#include "env/seeded_chance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

namespace skerry::depot {
namespace {

Digest digest(int i) { return Digest::of(std::to_string(i)); }

constexpr Fetch::Limits small{.range = 10, .window = 25, .spoils = 3};

TEST(Fetch, asks_in_order_of_priority_within_the_window) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 25, 0, 5});
    fetch.want("a", {digest(2), 4, 0, 1});
    auto first = fetch.next();
    ASSERT_EQ(first, (RangeRequest{digest(2), 0, 4}));
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(1), 0, 10}));
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(1), 10, 10}));
    EXPECT_EQ(fetch.next(), std::nullopt) << "24 of 25 are in flight";
    EXPECT_TRUE(fetch.arrived(*first, 0, 4));
    EXPECT_EQ(fetch.take_complete(), std::vector{digest(2)});
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(1), 20, 5}));
    EXPECT_EQ(fetch.next(), std::nullopt);
}

TEST(Fetch, resumes_where_the_depot_stands_and_counts_what_is_here) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 25, 21, 0});
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(1), 21, 4}));
    auto progress = fetch.progress("a");
    EXPECT_EQ(progress.bytes_done, 21u);
    EXPECT_EQ(progress.bytes_total, 25u);
    fetch.want("b", {digest(2), 7, 7, 0});
    EXPECT_EQ(fetch.take_complete(), std::vector{digest(2)}) << "nothing to fetch, but to verify";
    fetch.want("b", {digest(3), 0, 0, 0});
    EXPECT_EQ(fetch.take_complete(), std::vector{digest(3)}) << "empty";
}

TEST(Fetch, one_digest_is_fetched_once_for_all_who_want_it) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 8, 0, 0});
    fetch.want("b", {digest(1), 8, 0, 0});
    auto request = fetch.next();
    ASSERT_TRUE(request);
    EXPECT_FALSE(fetch.next());
    EXPECT_TRUE(fetch.unwant("a").empty());
    EXPECT_TRUE(fetch.arrived(*request, 0, 8)) << "b still wants it";
    EXPECT_EQ(fetch.progress("b").bytes_done, 8u);
    EXPECT_EQ(fetch.unwant("b"), std::vector{digest(1)});
    EXPECT_TRUE(fetch.take_complete().empty());
    EXPECT_EQ(fetch.progress().blobs_total, 0u);
}

TEST(Fetch, learns_a_size_from_the_source) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), {}, 0, 0});
    auto head = fetch.next();
    ASSERT_EQ(head, (RangeRequest{digest(1), 0, 10}));
    EXPECT_EQ(fetch.next(), std::nullopt) << "one range until the size is known";
    EXPECT_EQ(fetch.progress().blobs_of_unknown_size, 1u);
    EXPECT_TRUE(fetch.offered(digest(1), 12));
    auto rest = fetch.next();
    ASSERT_EQ(rest, (RangeRequest{digest(1), 10, 2}));
    EXPECT_TRUE(fetch.arrived(*rest, 10, 2));
    EXPECT_TRUE(fetch.arrived(*head, 0, 10));
    EXPECT_EQ(fetch.take_complete(), std::vector{digest(1)});

    fetch.want("a", {digest(2), {}, 0, 0});
    auto small_one = fetch.next();
    ASSERT_TRUE(small_one);
    EXPECT_TRUE(fetch.offered(digest(2), 3)) << "less than one range";
    EXPECT_EQ(fetch.in_flight(), 3u);
    EXPECT_FALSE(fetch.arrived(*small_one, 0, 4)) << "more than there is";
    EXPECT_TRUE(fetch.arrived(*small_one, 0, 3));
    EXPECT_EQ(fetch.take_complete(), std::vector{digest(2)});

    fetch.want("a", {digest(3), {}, 50, 0});
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(3), 50, 10}));
    EXPECT_TRUE(fetch.offered(digest(3), 20)) << "what was here is of something else";
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(3), 0, 10}));
}

TEST(Fetch, a_source_that_contradicts_the_wish_is_refused) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 8, 0, 0});
    EXPECT_TRUE(fetch.next());
    EXPECT_FALSE(fetch.offered(digest(1), 9));
    EXPECT_EQ(fetch.in_flight(), 0u);
    EXPECT_FALSE(fetch.next());
    EXPECT_THAT(fetch.progress().refusals, testing::ElementsAre(testing::HasSubstr("expected are 8")));
}

TEST(Fetch, refusals_are_asked_again_on_a_new_link) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 8, 0, 0});
    EXPECT_TRUE(fetch.next());
    fetch.refused(digest(1), "blob is not here");
    EXPECT_FALSE(fetch.next());
    fetch.link_back();
    EXPECT_FALSE(fetch.next()) << "the link was never down";
    fetch.link_lost();
    fetch.link_back();
    EXPECT_TRUE(fetch.next());
}

TEST(Fetch, spoiled_blobs_start_over_a_few_times) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 8, 0, 0});
    for (int i = 0; i < 3; ++i) {
        auto request = fetch.next();
        ASSERT_EQ(request, (RangeRequest{digest(1), 0, 8}));
        ASSERT_TRUE(fetch.arrived(*request, 0, 8));
        ASSERT_EQ(fetch.take_complete().size(), 1u);
        fetch.spoiled(digest(1), "wrong content");
    }
    EXPECT_EQ(fetch.next(), std::nullopt);
    EXPECT_EQ(fetch.progress().refusals.size(), 1u);
    EXPECT_EQ(fetch.progress().bytes_done, 0u);
    fetch.retry(digest(1));
    EXPECT_TRUE(fetch.next());
}

TEST(Fetch, bytes_nobody_asked_for_are_not_counted) {
    Fetch fetch(small);
    EXPECT_FALSE(fetch.arrived({digest(1), 0, 1, 1}, 0, 1));
    fetch.want("a", {digest(1), 30, 0, 0});
    EXPECT_FALSE(fetch.arrived({digest(1), 0, 1, 1}, 0, 1)) << "not yet asked";
    auto request = fetch.next();
    ASSERT_TRUE(request);
    EXPECT_FALSE(fetch.arrived(*request, 1, 1)) << "a gap";
    EXPECT_FALSE(fetch.arrived(*request, 0, 11)) << "beyond the range";
    EXPECT_TRUE(fetch.arrived(*request, 0, 4));
    EXPECT_FALSE(fetch.arrived(*request, 0, 4)) << "again";
    fetch.link_lost();
    EXPECT_FALSE(fetch.arrived(*request, 4, 4)) << "from before the cut";
    fetch.link_back();
    auto again = fetch.next();
    EXPECT_EQ(again, (RangeRequest{digest(1), 4, 10}));
    fetch.broke_off(*again);
    EXPECT_EQ(fetch.next(), (RangeRequest{digest(1), 4, 10}));
}

TEST(Fetch, what_an_old_request_comes_to_leaves_its_successor_alone) {
    Fetch fetch(small);
    fetch.want("a", {digest(1), 10, 0, 0});
    auto old = fetch.next();
    ASSERT_TRUE(old);
    fetch.link_lost();
    fetch.link_back();
    auto fresh = fetch.next();
    ASSERT_EQ(fresh, old) << "the same bytes, asked for again";
    EXPECT_FALSE(fetch.awaits(*old));
    fetch.broke_off(*old);
    EXPECT_TRUE(fetch.awaits(*fresh));
    EXPECT_EQ(fetch.next(), std::nullopt) << "the late end of the old one asks for nothing";
    EXPECT_FALSE(fetch.arrived(*old, 0, 10));
    EXPECT_TRUE(fetch.arrived(*fresh, 0, 10));
    EXPECT_EQ(fetch.take_complete(), std::vector{digest(1)});
}

/// A source and a link that delivers streams interleaved at random, breaks them, and is cut now and then.
RC_GTEST_PROP(Fetch, fetches_every_byte_once_and_at_most_a_window_more_per_cut, (std::uint64_t seed)) {
    env::SeededChance chance(seed);
    auto up_to = [&](std::uint64_t n) { return chance.bits() % (n + 1); };
    Fetch::Limits limits{.range = 1 + up_to(20), .window = 1 + up_to(60), .spoils = 3};
    Fetch fetch(limits);
    std::map<Digest, std::string> source;
    std::map<Digest, std::string> here;
    std::uint64_t total = 0, moved = 0, asked = 0, cuts = 0, broken = 0;
    int blobs = static_cast<int>(up_to(6));
    for (int i = 0; i < blobs; ++i) {
        std::string bytes;
        for (std::uint64_t n = up_to(200); n > 0; --n) bytes += static_cast<char>(chance.bits());
        Digest name = Digest::of(bytes);
        source[name] = bytes;
        std::uint64_t have = up_to(bytes.size());
        here.try_emplace(name, bytes.substr(0, have)).first->second.resize(bytes.size());
        bool fresh = fetch.progress().blobs_total < source.size();
        if (fresh) total += bytes.size() - have;
        Want want{name, {}, have, static_cast<int>(up_to(2))};
        if (chance.bits() % 2) want.size = bytes.size();
        for (std::uint64_t owners = 1 + up_to(2); owners > 0; --owners) fetch.want(std::to_string(owners), want);
    }
    struct Stream {
        RangeRequest request;
        std::uint64_t sent = 0;
        bool began = false;
    };
    std::vector<Stream> streams;
    for (int step = 0; !fetch.progress().is_done(); ++step) {
        RC_ASSERT(step < 100'000);
        while (auto request = fetch.next()) {
            RC_ASSERT(request->length > 0 && request->length <= limits.range);
            // Beyond the end of a blob of yet unknown size there is nothing to move.
            asked += std::min(request->length, source.at(request->digest).size() - request->offset);
            streams.push_back({*request, 0, false});
        }
        RC_ASSERT(fetch.in_flight() <= limits.window);
        std::uint64_t luck = chance.bits() % 100;
        if (luck < 3) {
            ++cuts;
            fetch.link_lost();
            RC_ASSERT(!fetch.next());
            if (chance.bits() % 2) streams.clear(); // else the remains still dribble in, and must do no harm
            fetch.link_back();
        } else if (!streams.empty()) {
            std::size_t pick = chance.bits() % streams.size();
            Stream& stream = streams[pick];
            const std::string& bytes = source.at(stream.request.digest);
            std::uint64_t end = std::min<std::uint64_t>(stream.request.offset + stream.request.length, bytes.size());
            std::uint64_t at = stream.request.offset + stream.sent;
            if (!stream.began) {
                stream.began = true;
                (void)fetch.offered(stream.request.digest, bytes.size());
            } else if (at >= end || luck < 6) {
                if (at < end) {
                    broken += end - at;
                    fetch.broke_off(stream.request);
                }
                streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(pick));
            } else {
                std::uint64_t count = 1 + up_to(end - at - 1);
                if (fetch.arrived(stream.request, at, count)) {
                    bytes.copy(here.at(stream.request.digest).data() + at, count, at);
                    moved += count;
                }
                stream.sent += count;
            }
        }
        for (const Digest& name : fetch.take_complete()) {
            RC_ASSERT(here.at(name) == source.at(name));
            fetch.verified(name);
        }
    }
    RC_ASSERT(here == source);
    RC_ASSERT(fetch.in_flight() == 0u);
    RC_ASSERT(moved == total);
    RC_ASSERT(asked <= total + cuts * limits.window + broken);
    RC_ASSERT(fetch.progress().bytes_done == fetch.progress().bytes_total);
}

TEST(Range, lines_survive_and_malformed_ones_are_refused) {
    RangeRequest request{digest(1), 12, 34};
    EXPECT_EQ(RangeRequest::parse(request.text()).value(), request);
    std::string d = digest(1).text();
    for (const std::string& bad :
         {std::string(), d, d + " 1", d + " 1 2 3", d + " -1 2", d + " 1 x", d + " 99999999999999999999 1", d + " 1 67108865",
          d + "  1 2", std::string("sha512:00 1 2"), std::string(100'000, ' ')})
        EXPECT_FALSE(RangeRequest::parse(bad)) << bad;
    EXPECT_EQ(RangeAnswer::parse(RangeAnswer::ok(7).text()).value().size, 7u);
    EXPECT_EQ(RangeAnswer::parse(RangeAnswer::no("not\nhere").text()).value().why, "not here");
    EXPECT_LE(RangeAnswer::no(std::string(10'000, 'x')).text().size(), RangeAnswer::max_line);
    for (const char* bad : {"", "ok", "ok x", "ok -1", "maybe 3", "ok 18446744073709551615"})
        EXPECT_FALSE(RangeAnswer::parse(bad)) << bad;
}

TEST(Digest, has_one_spelling) {
    std::string text = digest(1).text();
    EXPECT_EQ(Digest::parse(text).value(), digest(1));
    EXPECT_FALSE(Digest::parse(text.substr(1)));
    EXPECT_FALSE(Digest::parse(text + "0"));
    EXPECT_FALSE(Digest::parse("sha256:" + std::string(64, 'A')));
    EXPECT_FALSE(Digest::parse("sha256:../../" + std::string(58, 'a')));
    EXPECT_EQ(Digest::of("").text(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

RC_GTEST_PROP(Spans, behave_as_a_set_of_offsets, (const std::vector<std::tuple<bool, std::uint8_t, std::uint8_t>>& steps)) {
    Spans spans;
    std::set<std::uint64_t> model;
    for (auto [add, begin, length] : steps) {
        std::uint64_t low = begin % 40, high = low + length % 12;
        add ? spans.add(low, high) : spans.remove(low, high);
        for (std::uint64_t i = low; i < high; ++i) add ? (void)model.insert(i) : (void)model.erase(i);
        RC_ASSERT(spans.total() == model.size());
        for (std::uint64_t i = 0; i < 60; ++i) RC_ASSERT(spans.contains(i) == model.contains(i));
        if (!model.empty()) RC_ASSERT(spans.first().begin == *model.begin());
        std::size_t runs = 0;
        for (std::uint64_t i : model) runs += !model.contains(i - 1);
        RC_ASSERT(spans.count() == runs);
    }
}

} // namespace
} // namespace skerry::depot
