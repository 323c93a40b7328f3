// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/serving/index/prefix_index.hpp>

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <vector>

using namespace mooncake;

TEST_CASE("index: counts the leading blocks of every instance in one pass") {
    auto index = PrefixIndex();
    const auto prompt = std::vector<BlockKey>{10, 11, 12, 13};
    index.stored(0, std::vector<BlockKey>{10, 11});
    index.stored(1, prompt);
    index.stored(2, std::vector<BlockKey>{11, 12, 13}); // not the head: no prefix
    index.stored(3, std::vector<BlockKey>{10, 12, 13}); // a hole
    auto held = std::vector<std::uint32_t>(5, 99);
    CHECK(index.match(prompt, held) == 4);
    CHECK(held == std::vector<std::uint32_t>{2, 4, 0, 1, 0});
    CHECK(index.match(std::vector<BlockKey>{77}, held) == 0);
    CHECK(held == std::vector<std::uint32_t>(5, 0));
    CHECK(index.match({}, held) == 0);
    index.removed(1, std::vector<BlockKey>{10, 99});
    index.match(prompt, held);
    CHECK(held == std::vector<std::uint32_t>{2, 0, 0, 1, 0});
    auto few = std::vector<std::uint32_t>(1);
    CHECK(index.match(prompt, few) == 2); // whoever stands beyond is passed over
    CHECK(index.match(prompt, {}) == 0);
}

TEST_CASE("index: random stores and removals give what a map of sets gives") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto index = PrefixIndex();
        auto truth = std::map<BlockKey, std::set<InstanceId>>();
        const auto instances = 1 + random() % 20, keys = 10 + random() % 400;
        for (int round = 0; round < 3'000; ++round) {
            const auto instance = static_cast<InstanceId>(random() % instances);
            auto blocks = std::vector<BlockKey>();
            for (auto key = random() % keys, left = random() % 12; left != 0; --left) blocks.push_back(key++);
            if (random() % 200 == 0) {
                index.forget(instance);
                for (auto& one : truth) one.second.erase(instance);
            } else if (random() % 2 == 0) {
                index.stored(instance, blocks);
                for (const auto key : blocks) truth[key].insert(instance);
            } else {
                index.removed(instance, blocks);
                for (const auto key : blocks)
                    if (truth.contains(key)) truth[key].erase(instance);
            }
            auto held = std::vector<std::uint32_t>(instances);
            index.match(blocks, held);
            for (InstanceId i = 0; i < instances; ++i) {
                auto leading = std::uint32_t{0};
                while (leading < blocks.size() && truth[blocks[leading]].contains(i)) ++leading;
                REQUIRE(held[i] == leading);
            }
        }
        auto live = std::size_t{0};
        auto sets = std::set<std::set<InstanceId>>();
        for (const auto& [key, holders] : truth) {
            live += !holders.empty();
            if (!holders.empty()) sets.insert(holders);
            REQUIRE(index.holders(key) == holders.size());
        }
        CHECK(index.size() == live);
        CHECK(index.sets() == sets.size()); // each kept once, and none that nobody has
    }
}

TEST_CASE("index: at most 64 bytes a block, and nothing is left when all is gone") {
    auto index = PrefixIndex();
    auto prompt = std::vector<BlockKey>(100);
    for (BlockKey p = 0; p < 2'000; ++p) {
        for (BlockKey i = 0; i < prompt.size(); ++i) prompt[i] = (p << 20 | i) * 0x9e3779b97f4a7c15ULL;
        index.stored(static_cast<InstanceId>(p % 100), prompt);
        index.stored(static_cast<InstanceId>(p * 7 % 100), prompt);
    }
    CHECK(index.size() == 200'000);
    CHECK(index.bytes() <= 64 * index.size());
    for (InstanceId i = 0; i < 100; ++i) index.forget(i);
    CHECK(index.size() == 0);
    CHECK(index.sets() == 0);
}
