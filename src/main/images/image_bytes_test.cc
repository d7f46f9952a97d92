#include "main/images/image_bytes.h"

#include "cell/test_world.h"
#include "env/fake_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace skerry::main {
namespace {

using depot::Digest;

/// A cell's depot and what moves its bytes; `below` dials `above`.
struct Place {
    Place(cell::World& world, const std::string& name)
        : machine(world, {env::Peer::Role::site, name, {}}, {}, 7),
          store(*store::Store::open(machine.env(), std::make_unique<store::MemoryBackend>(machine.disk), {})),
          depot(*depot::Depot::open(files, "/depot")), tunnel(machine, machine.chance),
          images(machine.env(), *store, *depot, tunnel, {.os = "linux", .architecture = "amd64"}) {}

    env::FakeFiles files;
    cell::Machine machine;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<depot::Depot> depot;
    Tunnel tunnel;
    ImageBytes images;
};

struct Line final : env::Dialer {
    Line(cell::World& world, Place& above, Place& below) : world(world), above(above), below(below) {}
    std::unique_ptr<env::Timer> dial(const std::string&, env::Channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)> then) override {
        return below.machine.after(1ms, [this, then = std::move(then)] {
            if (world.is_cut) return then(fail(Code::unavailable, "the cable is out"));
            auto pipe = std::make_shared<cell::Pipe>(world);
            world.pipes.push_back(pipe);
            above.tunnel.accept(std::make_unique<cell::FakeWire>(pipe, 1, env::Peer{env::Peer::Role::site, "below", {}}));
            then(std::make_unique<cell::FakeWire>(pipe, 0, env::Peer{env::Peer::Role::core, "above", {}}));
        });
    }
    cell::World& world;
    Place& above;
    Place& below;
};

struct ImageBytesTest : testing::Test {
    /// An image of so many layers, each some bytes long; its digest.
    static std::string make_image(depot::Depot& depot, int layers, std::size_t size) {
        auto put = [&](const std::string& bytes) { return depot.put(bytes)->text(); };
        auto part = [](const std::string& type, const std::string& digest, std::size_t bytes) {
            return R"({"mediaType":"application/vnd.oci.image.)" + type + R"(","digest":")" + digest + R"(","size":)" +
                   std::to_string(bytes) + "}";
        };
        std::string list;
        for (int i = 0; i < layers; ++i) {
            std::string bytes = "layer " + std::to_string(i);
            bytes.resize(std::max(size, bytes.size()), static_cast<char>(i));
            list += (i ? "," : "") + part("layer.v1.tar", put(bytes), bytes.size());
        }
        std::string config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}})";
        return put(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
                   part("config.v1+json", put(config), config.size()) + R"(,"layers":[)" + list + "]}");
    }

    /// What came of asking `below` for it, once known.
    std::shared_ptr<std::optional<Result<void>>> ask(const std::string& image) {
        auto outcome = std::make_shared<std::optional<Result<void>>>();
        below.images.ensure(image, [outcome](Result<void> result) { *outcome = std::move(result); });
        return outcome;
    }

    void SetUp() override { below.tunnel.reach(line, {"above"}); }
    void TearDown() override {
        world.cut();
        world.pass(1s);
    }

    /// As if an Image named all that is there: no sweep takes it.
    static void hold(Place& place) {
        auto entries = *place.depot->list();
        for (auto& entry : entries) place.depot->pin(entry.digest);
    }
    void flip(Place& place, const Digest& digest) { place.files.flip_bit(*place.depot->path(digest), 3); }

    cell::World world;
    Place above{world, "above"}, below{world, "below"};
    Line line{world, above, below};
};

TEST_F(ImageBytesTest, an_image_of_more_blobs_than_a_wire_has_streams_arrives) {
    auto image = make_image(*above.depot, 150, 10);
    auto outcome = ask(image);
    world.pass(10s);
    ASSERT_TRUE(*outcome) << below.images.progress(image);
    EXPECT_TRUE(**outcome) << (**outcome).error().message;
    EXPECT_EQ(below.depot->list()->size(), 152u);
}

TEST_F(ImageBytesTest, goes_on_after_cuts) {
    auto image = make_image(*above.depot, 3, 2 << 20);
    auto outcome = ask(image);
    world.pass(1s);
    for (int i = 0; i < 5; ++i) {
        world.cut();
        world.pass(1s);
        world.heal();
        world.pass(100ms);
    }
    world.pass(60s);
    ASSERT_TRUE(*outcome) << below.images.progress(image);
    EXPECT_TRUE(**outcome) << (**outcome).error().message;
}

TEST_F(ImageBytesTest, what_another_way_brings_ends_the_waiting) {
    auto image = make_image(*above.depot, 3, 2 << 20);
    world.cut();
    auto outcome = ask(image);
    world.pass(1min);
    ASSERT_FALSE(*outcome);
    // As a courier brings it, blob by blob.
    make_image(*below.depot, 3, 2 << 20);
    auto entries = below.depot->list();
    ASSERT_TRUE(entries);
    for (auto& entry : *entries) {
        below.depot->pin(entry.digest);
        below.images.arrived(entry.digest);
    }
    world.pass(1s);
    ASSERT_TRUE(*outcome) << below.images.progress(image);
    EXPECT_TRUE(**outcome) << (**outcome).error().message;
}

TEST_F(ImageBytesTest, damage_is_found_and_fetched_again) {
    auto image = make_image(*above.depot, 3, 100);
    hold(above);
    ask(image);
    world.pass(10s);
    hold(below);
    std::vector<std::string> reports;
    below.images.on_report([&](std::optional<store::Key>, cell::Tone, std::string_view reason, const std::string&) {
        reports.emplace_back(reason);
    });
    Digest hurt = below.depot->list()->at(2).digest;
    flip(below, hurt);
    world.pass(2h);
    EXPECT_THAT(reports, testing::ElementsAre("BlobDamaged", "BlobRepaired"));
    EXPECT_TRUE(*below.depot->has(hurt));
    EXPECT_TRUE(*below.depot->scrub(hurt));
}

TEST_F(ImageBytesTest, where_nobody_has_it_damage_is_reported) {
    make_image(*above.depot, 1, 100);
    hold(above);
    std::vector<std::string> reports;
    above.images.on_report([&](std::optional<store::Key>, cell::Tone, std::string_view reason, const std::string& message) {
        reports.push_back(std::string(reason) + ": " + message);
    });
    flip(above, above.depot->list()->front().digest);
    world.pass(2h);
    EXPECT_THAT(reports, testing::ElementsAre(testing::AllOf(testing::HasSubstr("BlobDamaged"), testing::HasSubstr("push"))));
}

TEST_F(ImageBytesTest, uploads_outlive_sweeps_for_a_while) {
    auto digest = *above.depot->put("an upload");
    above.depot->pin(digest);
    above.images.arrived(digest);
    above.depot->pin(digest);
    above.images.arrived(digest); // looked at once more
    world.pass(23h);
    EXPECT_TRUE(*above.depot->has(digest));
    world.pass(90min);
    EXPECT_FALSE(*above.depot->has(digest)) << "no Image named it";
}

TEST_F(ImageBytesTest, what_was_unpacked_is_dropped_before_an_image_is_said_to_be_here) {
    auto image = make_image(*above.depot, 1, 100);
    std::vector<std::string> order;
    Result<void> busy = fail(Code::conflict, "a start is under way");
    below.images.on_unpacked({.keep =
                                  [&](const std::vector<std::string>& kept) {
                                      order.push_back("keep " + std::to_string(kept.size()));
                                      return std::exchange(busy, {});
                                  },
                              .then = [&]() -> Result<void> {
                                  order.push_back("then");
                                  return {};
                              },
                              .prepare = {}});
    below.images.keep({});
    below.images.ensure(image, [&](Result<void>) { order.push_back("here"); });
    world.pass(10s);
    EXPECT_THAT(order, testing::ElementsAre("keep 0", "then", "here"));
    below.images.keep({image});
    world.pass(30s);
    EXPECT_THAT(order, testing::ElementsAre("keep 0", "then", "here", "keep 1", "then"));
}

TEST_F(ImageBytesTest, an_image_is_here_when_it_can_be_started) {
    auto image = make_image(*above.depot, 1, 100);
    Result<void> outcome = fail(Code::invalid, "the image is for linux/arm64");
    below.images.on_unpacked({.keep = {}, .then = {}, .prepare = [&](const std::string&) { return outcome; }});
    std::optional<Result<void>> told;
    below.images.ensure(image, [&](Result<void> done) { told = std::move(done); });
    world.pass(10s);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->error().message, "the image is for linux/arm64");
    outcome = {};
    below.images.ensure(image, [&](Result<void> done) { told = std::move(done); });
    world.pass(10s);
    EXPECT_TRUE(*told);
}

struct ScrubTest : ImageBytesTest {
    std::vector<Digest> blobs() {
        std::vector<Digest> all;
        auto entries = *above.depot->list();
        for (auto& entry : entries) all.push_back(entry.digest);
        std::ranges::sort(all);
        return all;
    }
    std::unique_ptr<DepotScrub> scrub() {
        return std::make_unique<DepotScrub>(above.machine.env(), *above.store, *above.depot,
                                            [this](const Digest& digest) { found.push_back(digest); });
    }
    std::vector<Digest> found;
};

TEST_F(ScrubTest, a_round_comes_once_a_week_whatever_restarts) {
    make_image(*above.depot, 2, 3 << 20);
    hold(above);
    world.pass(2h); // the round of the cell itself
    EXPECT_TRUE(above.store->note("scrub", "round"));
    Digest hurt = blobs().front();
    flip(above, hurt);
    auto restarted = scrub();
    world.pass(6 * 24h);
    restarted = scrub();
    world.pass(12h);
    EXPECT_TRUE(found.empty());
    EXPECT_TRUE(*above.depot->has(hurt));
    world.pass(24h);
    EXPECT_FALSE(*above.depot->has(hurt)) << "set aside by one of the two that read here";
}

TEST_F(ScrubTest, an_interrupted_round_goes_on_where_it_stood) {
    make_image(*above.depot, 3, 100);
    hold(above);
    auto all = blobs();
    store::Transaction transaction;
    transaction.note("scrub", "round", "0 " + all.at(2).text());
    above.store->commit(std::move(transaction), nullptr);
    world.settle();
    flip(above, all.at(0));
    flip(above, all.at(2));
    flip(above, all.back());
    auto restarted = scrub();
    world.pass(20min);
    EXPECT_THAT(found, testing::ElementsAre(all.at(2), all.back()));
}

TEST_F(ImageBytesTest, what_nobody_has_is_an_error) {
    auto outcome = ask(Digest::of("nowhere").text());
    world.pass(10s);
    ASSERT_TRUE(*outcome);
    EXPECT_THAT((**outcome).error().message, testing::HasSubstr("is not here"));
}

} // namespace
} // namespace skerry::main
