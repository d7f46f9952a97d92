#include "base/test_seeds.h"
#include "link/mux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

namespace skerry::link {
namespace {

using testing::HasSubstr;

/// Two Muxes and the wire between them, which delivers when told to.
struct Pair {
    struct End {
        std::deque<std::string> on_wire; ///< sent by this end
        std::size_t bytes = 0;
        std::map<std::string, std::uint64_t> counted[2]; ///< received and sent, by the stream's target
        std::string broken;
        std::vector<std::shared_ptr<Stream>> opened;
        std::unique_ptr<Mux> mux;
    };
    End dialler, acceptor;

    explicit Pair(MuxOptions options = {}) {
        options.side = Side::dialler;
        build(dialler, options);
        options.side = Side::acceptor;
        build(acceptor, options);
    }

    void build(End& end, MuxOptions options) {
        end.mux = std::make_unique<Mux>(
            options, Mux::Output{.send =
                                     [&end](std::string message) {
                                         end.bytes += message.size();
                                         end.on_wire.push_back(std::move(message));
                                     },
                                 .unsent = [&end] { return end.bytes; },
                                 .counted = [&end](const Target& target, bool sent,
                                                   std::size_t bytes) { end.counted[sent][target.name] += bytes; }});
        end.mux->on_open([&end](std::shared_ptr<Stream> stream) { end.opened.push_back(std::move(stream)); });
        end.mux->on_broken([&end](std::string why) { end.broken = std::move(why); });
    }

    bool deliver_one(End& from, End& to) {
        if (from.on_wire.empty()) return false;
        auto message = std::move(from.on_wire.front());
        from.on_wire.pop_front();
        bool was_high = from.bytes >= Mux::hold_back;
        from.bytes -= message.size();
        to.mux->arrived(message);
        // As real wires do: only who had reached the mark hears that it fell below it.
        if (was_high && from.bytes < Mux::hold_back) from.mux->drained();
        return true;
    }
    void settle() {
        while (deliver_one(dialler, acceptor) || deliver_one(acceptor, dialler)) {
        }
    }
};

struct Received {
    std::string bytes;
    bool ended = false;
    std::string reset;
    /// The pair, which is older, ends its streams after this is gone.
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    void follow(Stream& stream) {
        std::weak_ptr<bool> here = alive;
        stream.on_bytes([this, here](std::string piece) {
            if (!here.expired()) bytes += piece;
        });
        stream.on_end([this, here] {
            if (!here.expired()) ended = true;
        });
        stream.on_reset([this, here](std::string why) {
            if (!here.expired()) reset = std::move(why);
        });
    }
};

std::string bytes_of(std::size_t size, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    return bytes;
}

TEST(Mux, CarriesATargetAndBytesBothWays) {
    Pair pair;
    auto stream = *pair.dialler.mux->open({.name = "logs", .parameters = {{"instance", "i-3"}, {"follow", ""}}});
    Received answer;
    answer.follow(*stream);
    EXPECT_EQ(stream->write("question"), 8u);
    stream->end();
    pair.settle();
    ASSERT_EQ(pair.acceptor.opened.size(), 1u);
    auto& theirs = *pair.acceptor.opened[0];
    EXPECT_EQ(theirs.target().name, "logs");
    EXPECT_EQ(theirs.target().get("instance"), "i-3");
    Received question;
    question.follow(theirs); // what came before is waiting
    EXPECT_EQ(question.bytes, "question");
    EXPECT_TRUE(question.ended);
    theirs.write("answer");
    theirs.end();
    pair.settle();
    EXPECT_EQ(answer.bytes, "answer");
    EXPECT_TRUE(answer.ended);
    EXPECT_EQ(pair.dialler.mux->streams(), 0u);
    EXPECT_EQ(pair.acceptor.mux->streams(), 0u);
    EXPECT_FALSE(stream->is_open());
    EXPECT_EQ(stream->write("more"), 0u);
}

TEST(Mux, CountsWhatCrossesForWhichTarget) {
    Pair pair;
    auto blob = *pair.dialler.mux->open({"blob", {}}), logs = *pair.dialler.mux->open({"logs", {}});
    pair.settle();
    Received got;
    for (auto& stream : pair.acceptor.opened) got.follow(*stream);
    blob->write(bytes_of(100'000, 1));
    pair.settle();
    logs->write("a line");
    pair.settle();
    blob->end();
    pair.settle();
    EXPECT_GE(pair.dialler.counted[1]["blob"], 100'000u);
    EXPECT_LE(pair.dialler.counted[1]["blob"], 100'100u);
    EXPECT_LE(pair.dialler.counted[1]["logs"], 40u);
    EXPECT_EQ(pair.acceptor.counted[0]["logs"], pair.dialler.counted[1]["logs"]);
    EXPECT_EQ(pair.acceptor.counted[0]["blob"], pair.dialler.counted[1]["blob"]);
}

TEST(Mux, FramesCostAtMostSixteenBytes) {
    Pair pair;
    auto stream = *pair.dialler.mux->open({.name = "x"});
    pair.settle();
    stream->write("1234567890");
    ASSERT_EQ(pair.dialler.on_wire.size(), 1u);
    EXPECT_LE(pair.dialler.on_wire[0].size(), 10u + 16u);
}

TEST(Mux, AStreamWhoseReaderSleepsStopsAtTheWindowAndHoldsNobodyUp) {
    Pair pair;
    auto slow = *pair.dialler.mux->open({.name = "slow"});
    auto quick = *pair.dialler.mux->open({.name = "quick"});
    pair.settle();
    Received sleeper;
    pair.acceptor.opened[0]->consume_by_hand();
    sleeper.follow(*pair.acceptor.opened[0]);
    Received reader;
    reader.follow(*pair.acceptor.opened[1]);
    auto big = bytes_of(1 << 20, 1);
    std::size_t slow_sent = 0, quick_sent = 0;
    for (int round = 0; round < 64; ++round) {
        slow_sent += slow->write(std::string_view(big).substr(slow_sent));
        quick_sent += quick->write(std::string_view(big).substr(quick_sent));
        pair.settle();
    }
    EXPECT_EQ(sleeper.bytes.size(), std::size_t{256 << 10});
    EXPECT_EQ(slow_sent, std::size_t{512 << 10}); // the window, and the outgoing buffer
    EXPECT_EQ(reader.bytes, big);
    // Consumption opens the window again.
    while (sleeper.bytes.size() < big.size()) {
        pair.acceptor.opened[0]->consumed(64 << 10);
        pair.settle();
        slow_sent += slow->write(std::string_view(big).substr(slow_sent));
        pair.settle();
    }
    EXPECT_EQ(sleeper.bytes, big);
}

TEST(Mux, TakesTurns) {
    Pair pair;
    std::vector<std::shared_ptr<Stream>> streams;
    for (int i = 0; i < 4; ++i) streams.push_back(*pair.dialler.mux->open({.name = "s"}));
    pair.settle();
    std::vector<Received> received(4);
    for (std::size_t i = 0; i < 4; ++i) received[i].follow(*pair.acceptor.opened[i]);
    auto big = bytes_of(Mux::hold_back, 2);
    for (auto& stream : streams) stream->write(big);
    // The first stream was first to fill the wire; from then on nobody is more than two frames ahead of anybody.
    for (int frame = 0; frame < 40; ++frame) {
        pair.deliver_one(pair.dialler, pair.acceptor);
        std::size_t least = SIZE_MAX, most = 0;
        for (std::size_t i = 1; i < 4; ++i)
            least = std::min(least, received[i].bytes.size()), most = std::max(most, received[i].bytes.size());
        EXPECT_LE(most - least, 2 * Mux::frame_limit);
    }
    pair.settle();
    for (auto& one : received) EXPECT_EQ(one.bytes, big);
}

TEST(Mux, ResetEndsBothDirectionsAndSaysWhy) {
    Pair pair;
    auto stream = *pair.dialler.mux->open({.name = "x"});
    pair.settle();
    Received theirs;
    theirs.follow(*pair.acceptor.opened[0]);
    pair.acceptor.opened[0]->write("on its way");
    stream->write("never mind");
    stream->reset("no longer wanted");
    pair.settle();
    EXPECT_EQ(theirs.reset, "no longer wanted");
    EXPECT_TRUE(pair.dialler.broken.empty()) << pair.dialler.broken; // late bytes of theirs were dropped
    EXPECT_EQ(pair.dialler.mux->streams(), 0u);
    EXPECT_EQ(pair.acceptor.mux->streams(), 0u);
}

TEST(Mux, AFinishedStreamThatItsOwnCallbackHoldsIsFreed) {
    Pair pair;
    auto from = *pair.dialler.mux->open({.name = "logs"});
    pair.settle();
    std::weak_ptr<Stream> alive = from;
    // Nobody asks for the end of what comes back.
    from->on_bytes([held = from](std::string) {});
    from->end();
    from.reset();
    pair.acceptor.opened.back()->end();
    pair.settle();
    pair.acceptor.opened.clear();
    EXPECT_TRUE(alive.expired());
}

TEST(Mux, AStreamBeyondTheBoundIsRefused) {
    Pair pair({.max_streams = 2});
    auto first = *pair.dialler.mux->open({.name = "1"});
    auto second = *pair.dialler.mux->open({.name = "2"});
    auto third = pair.dialler.mux->open({.name = "3"});
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, Code::exhausted);
    pair.settle();
    // A peer with a larger bound of its own is told.
    pair.acceptor.mux->arrived(std::string("o\x07\x01", 3) + "x");
    ASSERT_FALSE(pair.acceptor.on_wire.empty());
    EXPECT_EQ(pair.acceptor.on_wire.back()[0], 'r');
    EXPECT_THAT(pair.acceptor.on_wire.back(), HasSubstr("too many streams"));
    first->reset();
    EXPECT_TRUE(pair.dialler.mux->open({.name = "3"}));
}

TEST(Mux, TheWiresEndResetsEveryStream) {
    Pair pair;
    auto stream = *pair.dialler.mux->open({.name = "x"});
    Received received;
    received.follow(*stream);
    pair.dialler.mux->down("the other side cut the connection");
    EXPECT_EQ(received.reset, "the other side cut the connection");
    EXPECT_EQ(pair.dialler.mux->open({.name = "y"}).error().code, Code::unavailable);
    auto late = *pair.acceptor.mux->open({.name = "z"});
    pair.acceptor.mux.reset();
    std::string told;
    late->on_reset([&](std::string why) { told = why; }); // set afterwards, told all the same
    EXPECT_EQ(told, "the wire is down");
    EXPECT_EQ(late->write("x"), 0u);
}

TEST(Mux, StreamsMayDestroyTheirMuxFromTheirCallbacks) {
    Pair pair;
    auto stream = *pair.dialler.mux->open({.name = "x"});
    pair.settle();
    pair.acceptor.opened[0]->on_bytes([&](std::string) { pair.acceptor.mux.reset(); });
    stream->write("boom");
    auto message = pair.dialler.on_wire.front();
    pair.acceptor.mux->arrived(message);
    EXPECT_EQ(pair.acceptor.mux, nullptr);
}

struct Hostile : testing::TestWithParam<std::pair<const char*, std::string>> {};

TEST_P(Hostile, EndsTheWireWithAReason) {
    Pair pair;
    auto stream = *pair.acceptor.mux->open({.name = "ours"}); // id 2
    pair.acceptor.mux->arrived(std::string("o\x01\x01x", 4));
    Received received;
    received.follow(*stream);
    pair.acceptor.mux->arrived(GetParam().second);
    EXPECT_THAT(pair.acceptor.broken, HasSubstr("broke the stream protocol"));
    EXPECT_THAT(received.reset, HasSubstr("broke the stream protocol"));
    EXPECT_EQ(pair.acceptor.mux->streams(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Frames, Hostile,
                         testing::Values(std::pair{"empty", std::string()}, std::pair{"no_stream", std::string("b")},
                                         std::pair{"stream_zero", std::string("e\0", 2)},
                                         std::pair{"unknown_type", std::string("z\x01", 2)},
                                         std::pair{"never_opened", std::string("b\x09x", 3)},
                                         std::pair{"our_id_opened", std::string("o\x04\x01x", 4)},
                                         std::pair{"id_again", std::string("o\x01\x01x", 4)},
                                         std::pair{"open_cut_short", std::string("o\x03\x05x", 4)},
                                         std::pair{"open_without_name", std::string("o\x03\0", 3)},
                                         std::pair{"parameter_without_value", std::string("o\x03\x01x\x01k", 6)},
                                         std::pair{"long_name", std::string("o\x03\x88\x27", 4) + std::string(5000, 'n')},
                                         std::pair{"endless_varint", std::string("b\xff\xff\xff\xff\xff\xff\xff", 8)},
                                         std::pair{"bytes_without_bytes", std::string("b\x01", 2)},
                                         std::pair{"huge_frame", std::string("b\x01", 2) + std::string((16 << 10) + 1, 'x')},
                                         std::pair{"credit_without_amount", std::string("c\x02", 2)},
                                         std::pair{"credit_of_nothing", std::string("c\x02\0", 3)},
                                         std::pair{"too_much_credit", std::string("c\x02\xff\xff\xff\xff\x0f", 7)},
                                         std::pair{"end_with_bytes", std::string("e\x01x", 3)},
                                         std::pair{"long_why", std::string("r\x01", 2) + std::string(600, 'y')}),
                         [](const auto& info) { return std::string(info.param.first); });

TEST(Mux, BytesBeyondTheWindowEndTheWire) {
    Pair pair;
    pair.acceptor.mux->arrived(std::string("o\x01\x01x", 4));
    pair.acceptor.opened[0]->consume_by_hand();
    auto full = std::string("b\x01", 2) + std::string(Mux::frame_limit, 'x');
    for (int frame = 0; frame < 16; ++frame) pair.acceptor.mux->arrived(full);
    EXPECT_TRUE(pair.acceptor.broken.empty());
    pair.acceptor.mux->arrived(std::string("b\x01x", 3));
    EXPECT_THAT(pair.acceptor.broken, HasSubstr("beyond the window"));
}

TEST(Mux, RandomBytesNeverCrash) {
    for (std::uint32_t seed = 0, end = test::seeds(3000); seed < end; ++seed) {
        std::mt19937 random(seed);
        Pair pair;
        auto ours = *pair.acceptor.mux->open({.name = "ours"});
        for (int frame = 0; frame < 12; ++frame) {
            std::string message(random() % 12, '\0');
            for (auto& byte : message) byte = static_cast<char>(random() % 3 == 0 ? random() : random() % 4);
            if (!message.empty()) message[0] = "obcer"[random() % 5];
            pair.acceptor.mux->arrived(message);
        }
    }
}

/// Any interleaving of writes, deliveries, consumption and ends delivers every stream whole, within its window.
TEST(Mux, RandomInterleavingsDeliverEveryStreamIntact) {
    for (std::uint32_t seed = 0, end = test::seeds(60); seed < end; ++seed) {
        std::mt19937 random(seed);
        Pair pair({.max_streams = 8, .window = seed % 2 == 0 ? std::size_t{256 << 10} : std::size_t{300 << 10}});
        struct Flow {
            std::shared_ptr<Stream> from, to;
            std::string sent, received;
            std::size_t written = 0, owed = 0;
            bool by_hand = false, ended = false;
        };
        std::vector<std::unique_ptr<Flow>> flows;
        auto follow = [&](Flow& flow) {
            flow.by_hand = random() % 2 == 0;
            if (flow.by_hand) flow.to->consume_by_hand();
            flow.to->on_bytes([&flow](std::string piece) {
                flow.received += piece;
                flow.owed += piece.size();
                if (flow.by_hand) {
                    ASSERT_LE(flow.owed, std::size_t{300 << 10});
                }
            });
            flow.to->on_end([&flow] { flow.ended = true; });
        };
        for (std::uint32_t i = 0; i < 8; ++i) {
            auto& from = i % 2 == 0 ? pair.dialler : pair.acceptor;
            auto& to = i % 2 == 0 ? pair.acceptor : pair.dialler;
            auto flow = std::make_unique<Flow>();
            flow->sent = bytes_of(random() % (700 << 10), seed * 8 + i);
            flow->from = *from.mux->open({.name = std::to_string(i)});
            pair.settle();
            flow->to = to.opened.back();
            follow(*flow);
            flow->to->end();
            flows.push_back(std::move(flow));
        }
        int idle = 0;
        while (idle < 200) {
            auto& flow = *flows[random() % flows.size()];
            bool moved = false;
            switch (random() % 4) {
            case 0:
                if (flow.written < flow.sent.size()) {
                    auto count = flow.from->write(std::string_view(flow.sent).substr(flow.written, 1 + random() % 100'000));
                    flow.written += count;
                    moved = count > 0;
                } else {
                    flow.from->end();
                }
                break;
            case 1:
                for (auto n = random() % 8; n > 0; --n) moved |= pair.deliver_one(pair.dialler, pair.acceptor);
                break;
            case 2:
                for (auto n = random() % 8; n > 0; --n) moved |= pair.deliver_one(pair.acceptor, pair.dialler);
                break;
            default:
                if (flow.by_hand && flow.owed > 0) {
                    flow.to->consumed(std::exchange(flow.owed, 0));
                    moved = true;
                }
            }
            idle = moved ? 0 : idle + 1;
        }
        pair.settle();
        for (auto& flow : flows) {
            EXPECT_TRUE(flow->received == flow->sent)
                << "seed " << seed << ", " << flow->received.size() << " of " << flow->sent.size();
            EXPECT_TRUE(flow->ended) << "seed " << seed;
        }
        EXPECT_EQ(pair.dialler.mux->streams(), 0u) << "seed " << seed;
        EXPECT_EQ(pair.dialler.broken + pair.acceptor.broken, "");
    }
}

} // namespace
} // namespace skerry::link
