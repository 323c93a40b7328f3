// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/serving/simulator/block_cache.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <list>
#include <vector>

using namespace mooncake;

TEST_CASE("cache: the least recently used block goes, a pinned one stays") {
    auto cache = LruBlockCache(3);
    auto added = std::vector<BlockKey>(), evicted = std::vector<BlockKey>();
    cache.insert(std::vector<BlockKey>{1, 2, 3}, added, evicted);
    CHECK(added == std::vector<BlockKey>{1, 2, 3});
    cache.insert(std::vector<BlockKey>{1, 4}, added, evicted);
    CHECK(evicted == std::vector<BlockKey>{2});
    CHECK(cache.match(std::vector<BlockKey>{1, 4, 2}) == 2);
    cache.pin(std::vector<BlockKey>{3});
    cache.insert(std::vector<BlockKey>{5}, added, evicted);
    CHECK(evicted == std::vector<BlockKey>{2, 1});
    CHECK(cache.pinned() == 1);
    evicted.clear();
    CHECK_FALSE(cache.make_room(3, evicted));
    CHECK(evicted == std::vector<BlockKey>{4, 5});
    cache.unpin(std::vector<BlockKey>{3});
    CHECK(cache.make_room(3, evicted));
    CHECK(cache.size() == 0);
}

TEST_CASE("cache: random use gives what a list gives") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        const auto capacity = 1 + random() % 60;
        auto cache = LruBlockCache(capacity);
        auto truth = std::list<BlockKey>(); // the latest at the end
        auto added = std::vector<BlockKey>(), evicted = std::vector<BlockKey>();
        for (int round = 0; round < 2'000; ++round) {
            auto blocks = std::vector<BlockKey>();
            for (auto key = random() % 200, left = 1 + random() % 8; left != 0; --left) blocks.push_back(key++);
            const auto held = [&](BlockKey key) { return std::find(truth.begin(), truth.end(), key) != truth.end(); };
            const auto leading = std::find_if_not(blocks.begin(), blocks.end(), held) - blocks.begin();
            REQUIRE(cache.match(blocks) == static_cast<std::uint32_t>(leading));
            cache.insert(blocks, added, evicted);
            for (const auto key : blocks) {
                if (held(key)) truth.remove(key);
                else if (truth.size() == capacity) truth.pop_front();
                truth.push_back(key);
            }
            REQUIRE(cache.size() == truth.size());
            REQUIRE(added.size() - evicted.size() == truth.size());
        }
    }
}

TEST_CASE(
    "block cache: spare blocks take free places alone, and go first, the tail before the head, unless they are used") {
    auto cache = LruBlockCache(5);
    auto added = std::vector<BlockKey>(), evicted = std::vector<BlockKey>();
    const auto own = std::vector<BlockKey>{1, 2}, spare = std::vector<BlockKey>{1, 10, 11, 12, 13};
    cache.insert(own, added, evicted);
    added.clear();
    cache.insert_spare(spare, added);
    CHECK(added == std::vector<BlockKey>{10, 11, 12}); // there was no room for the last one
    const auto others = std::vector<BlockKey>{20, 21};
    cache.insert(others, added, evicted);
    CHECK(evicted == std::vector<BlockKey>{12, 11});
    evicted.clear();
    cache.insert(std::vector<BlockKey>{10}, added, evicted); // used: now it is as good as any
    cache.insert(std::vector<BlockKey>{30}, added, evicted);
    CHECK(evicted == std::vector<BlockKey>{1});
    CHECK(cache.size() == 5);
}
