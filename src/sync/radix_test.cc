#include "env/seeded_chance.h"
#include "sync/radix.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace skerry::sync {

namespace {

/// Against a map, with hashes spread evenly or crowded into few ranges.
void run(std::uint64_t seed, std::uint64_t mask) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    env::SeededChance chance(seed);
    Radix<int> radix;
    std::map<std::pair<std::uint64_t, std::uint64_t>, Digest> model;
    auto check = [&] {
        Digest sum;
        for (const auto& [key, digest] : model) sum += digest;
        ASSERT_EQ(radix.sum(), sum);
        ASSERT_EQ(radix.size(), model.size());
        auto at = model.begin();
        radix.each([&](const auto& slot) {
            ASSERT_NE(at, model.end());
            ASSERT_EQ(std::pair(slot.hash.low, slot.hash.high), at->first);
            ASSERT_EQ(slot.digest, at->second);
            ++at;
        });
        ASSERT_EQ(at, model.end());
        for (int n = 0; n < 20; ++n) {
            auto bits = static_cast<std::uint8_t>(chance.bits() % 33);
            std::uint64_t low = chance.bits() & mask;
            Range range{bits, bits ? static_cast<std::uint32_t>(low >> (64 - bits)) : 0};
            Digest part;
            std::size_t count = 0;
            for (const auto& [key, digest] : model)
                if (range.contains(key.first)) part += digest, ++count;
            ASSERT_EQ(radix.total(range).sum, part) << int(bits) << " " << range.prefix;
            ASSERT_EQ(radix.total(range).count, count);
            std::size_t seen = 0;
            radix.each(range, [&](const auto& slot) { seen += range.contains(slot.hash.low); });
            ASSERT_EQ(seen, count);
        }
    };
    for (int phase = 0; phase < 4; ++phase) {
        for (int step = 0; step < 500; ++step) {
            Digest hash{chance.bits() % 3, chance.bits() & mask};
            std::pair key(hash.low, hash.high);
            bool grow = phase % 2 == 0 ? step % 8 != 0 : step % 8 == 0;
            if (grow) {
                auto [slot, fresh] = radix.ensure(hash);
                ASSERT_EQ(fresh, !model.contains(key));
                Digest digest{chance.bits(), chance.bits()};
                radix.set(*slot, digest);
                model[key] = digest;
                ASSERT_EQ(radix.find(hash), slot);
                ASSERT_EQ(radix.find_low(hash.low)->hash.low, hash.low);
            } else if (!model.empty()) {
                auto at = model.lower_bound(key);
                if (at == model.end()) at = model.begin();
                Digest gone{at->first.second, at->first.first};
                ASSERT_TRUE(radix.find(gone));
                radix.erase(gone);
                model.erase(at);
                ASSERT_FALSE(radix.find(gone));
            }
        }
        check();
        if (testing::Test::HasFailure()) return;
    }
    radix.erase_if([](const auto& slot) { return slot.hash.low % 2 == 0; });
    std::erase_if(model, [](const auto& each) { return each.first.first % 2 == 0; });
    check();
    radix.clear();
    model.clear();
    check();
}

TEST(Radix, IsAMapWithSums) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        run(seed, ~std::uint64_t{0});
        run(seed, 0x1F);                  // equal prefixes, farther than it branches
        run(seed, 0xFF00'0000'0000'0003); // crowded
        if (testing::Test::HasFailure()) return;
    }
}

} // namespace

} // namespace skerry::sync
