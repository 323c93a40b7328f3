// labels: unit conformance
#include <mooncake/store/placement/topology_aware.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using namespace mooncake;

namespace {
/// A segment a host, two hosts a rack, three racks.
std::vector<SegmentCandidate> three_racks(std::uint64_t bytes) {
    auto all = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 6; ++i)
        all.push_back({.id = i, .at = {.host = i + 1, .rack = i / 2 + 1}, .free_bytes = bytes, .capacity = bytes});
    return all;
}
} // namespace

TEST_CASE("placement: topology does what every policy does") { testing::placement_conformance<TopologyAware>(); }

TEST_CASE("topology: the writer's host fills first, then its rack, then the others alike") {
    auto placement = TopologyAware(1);
    auto all = three_racks(1'000);
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < 6'000; ++round) {
        placement.choose(all, {.bytes = 1, .evenly = true, .near = all[2].at}, chosen);
        if (chosen.empty()) placement.choose(all, {.bytes = 1, .near = all[2].at}, chosen);
        if (round < 1'000) REQUIRE(chosen.at(0) == 2);
        else if (round < 2'000) REQUIRE(chosen.at(0) == 3);
        else REQUIRE(all[chosen.at(0)].at.rack != 2);
        --all[chosen[0]].free_bytes;
        if (round == 3'999)
            for (const auto index : {0U, 1U, 4U, 5U}) {
                CHECK(all[index].free_bytes > 480);
                CHECK(all[index].free_bytes < 520);
            }
    }
}

TEST_CASE("topology: a segment that is slower than its way is farther away") {
    auto placement = TopologyAware(2);
    auto all = three_racks(1'000);
    all[2].cost = 2; // reached over something slow, though it is next to the writer
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < 100; ++round) {
        placement.choose(all, {.bytes = 1, .near = all[2].at}, chosen);
        REQUIRE(chosen.at(0) == 3);
    }
}
