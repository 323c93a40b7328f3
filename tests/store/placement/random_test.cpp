// labels: unit conformance
#include <mooncake/store/placement/random.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace mooncake;

TEST_CASE("placement: chance does what every policy does") { testing::placement_conformance<RandomPlacement>(); }

TEST_CASE("random placement: each of those that fit is as likely as another, whatever is free in it") {
    auto placement = RandomPlacement(7);
    auto candidates = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 10; ++i)
        candidates.push_back({.id = i, .free_bytes = i == 0 ? 0 : i * 100ULL, .capacity = 1000});
    auto counts = std::vector<int>(candidates.size());
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < 90'000; ++round) {
        placement.choose(candidates, {.bytes = 1}, chosen);
        ++counts[chosen.at(0)];
    }
    CHECK(counts[0] == 0);
    CHECK(*std::min_element(counts.begin() + 1, counts.end()) > 9'500);
    CHECK(*std::max_element(counts.begin() + 1, counts.end()) < 10'500);
}
