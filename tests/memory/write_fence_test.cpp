#include <mooncake/core/random.hpp>
#include <mooncake/memory/write_fence.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

using namespace mooncake;

TEST_CASE("write fence: who is fenced out writes nothing any more, and whoever is newer does") {
    auto fence = WriteFence();
    CHECK(fence.enter(0, 100, 1));
    fence.raise(50, 100, 5);
    CHECK(fence.enter(0, 50, 5));
    CHECK(fence.enter(150, 50, 5));
    CHECK_FALSE(fence.enter(0, 51, 5));
    CHECK_FALSE(fence.enter(149, 1, 5));
    CHECK_FALSE(fence.enter(100, 10, 4));
    CHECK(fence.enter(100, 10, 6));
    CHECK(fence.enter(100, 10, 0)); // nobody's
}

TEST_CASE("write fence: it is quiet when those that had begun are over, whoever they are") {
    auto fence = WriteFence();
    auto old = fence.enter(0, 100, 3);
    auto older = fence.enter(90, 20, 2);
    auto newer = fence.enter(0, 100, 9);
    fence.raise(0, 100, 3);
    CHECK_FALSE(fence.quiet(0, 100, 3));
    CHECK_FALSE(fence.quiet(100, 5, 2));
    CHECK(fence.quiet(110, 50, 3));
    CHECK(fence.quiet(0, 50, 2));
    old.reset();
    CHECK_FALSE(fence.quiet(0, 100, 3));
    older.reset();
    CHECK(fence.quiet(0, 100, 3));
    CHECK(fence.under_way() == 1);
    auto moved = std::move(newer);
    newer.reset();
    CHECK(fence.under_way() == 1);
    moved.reset();
    CHECK(fence.under_way() == 0);
}

TEST_CASE("write fence: any sequence of ranges and epochs is as an epoch for each byte would have it") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto fence = WriteFence();
        auto model = std::array<std::uint64_t, 64>{};
        for (auto step = 0; step < 60; ++step) {
            const auto offset = random() % 60, length = 1 + random() % (64 - offset), epoch = 1 + random() % 20;
            if (random() % 2 == 0) {
                fence.raise(offset, length, epoch);
                for (auto at = offset; at < offset + length; ++at) model[at] = std::max(model[at], epoch);
            }
            const auto highest = *std::max_element(model.begin() + static_cast<std::ptrdiff_t>(offset),
                                                   model.begin() + static_cast<std::ptrdiff_t>(offset + length));
            REQUIRE(fence.enter(offset, length, epoch).has_value() == (epoch > highest));
        }
    }
}

TEST_CASE("write fence: the highest epoch of a range is the highest of its parts, in whatever order they lie") {
    auto fence = WriteFence();
    fence.raise(0, 10, 5);
    fence.raise(20, 10, 3);
    CHECK(fence.highest(0, 30) == 5);
    CHECK(fence.highest(10, 20) == 3);
    CHECK(fence.highest(10, 10) == 0);
    fence.raise(40, 10, 7);
    CHECK(fence.highest(0, 50) == 7);
}
