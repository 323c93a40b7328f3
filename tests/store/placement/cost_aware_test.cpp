// labels: unit conformance
#include <mooncake/store/placement/cost_aware.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using namespace mooncake;

namespace {
std::vector<SegmentCandidate> a_host_each(std::uint32_t count, std::uint64_t bytes) {
    auto all = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < count; ++i)
        all.push_back({.id = i, .at = {.host = i + 1, .rack = i / 2 + 1}, .free_bytes = bytes, .capacity = bytes});
    return all;
}

std::vector<double> placed(std::vector<SegmentCandidate>& all, Location near, int rounds) {
    auto placement = CostAware();
    auto counts = std::vector<double>(all.size());
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < rounds; ++round) {
        placement.choose(all, {.bytes = 1, .near = near}, chosen);
        ++counts[chosen.at(0)];
        --all[chosen[0]].free_bytes;
    }
    return counts;
}
} // namespace

TEST_CASE("placement: cost does what every policy does") { testing::placement_conformance<CostAware>(); }

TEST_CASE("cost: what a path costs more it gets less, and nobody is drowned") {
    auto all = a_host_each(6, 100'000);
    const auto counts = placed(all, all[0].at, 11'000);
    // Steps 0, 1, 2, 2, 2, 2: costs 1, 2, 3, 3, 3, 3.
    CHECK(counts[0] > 1.8 * counts[1]);
    CHECK(counts[0] < 2.2 * counts[1]);
    for (const auto far : {2U, 3U, 4U, 5U}) {
        CHECK(counts[0] > 2.7 * counts[far]);
        CHECK(counts[0] < 3.3 * counts[far]);
    }
}

TEST_CASE("cost: where all paths cost the same, bytes lie in proportion to capacity") {
    auto all = a_host_each(10, 30'000);
    for (auto& one : all)
        if (one.id % 2 == 0) one.free_bytes = one.capacity = 10'000;
    (void)placed(all, {}, 100'000);
    for (const auto& one : all) {
        const auto used = 1 - static_cast<double>(one.free_bytes) / static_cast<double>(one.capacity);
        CHECK(used == doctest::Approx(.5).epsilon(.02));
    }
}

TEST_CASE("cost: a large object stays near where a small one goes elsewhere") {
    const auto all = a_host_each(4, 1'000'000);
    const auto same_rack = std::vector<std::uint32_t>{1}; // of the writer, and not wanted here
    const auto after_three_bytes = [&](std::uint64_t bytes) {
        auto placement = CostAware();
        auto chosen = std::vector<std::uint32_t>();
        auto request = PlacementRequest{.bytes = 3, .near = all[0].at, .excluded = same_rack};
        placement.choose(all, request, chosen);
        REQUIRE(chosen == std::vector<std::uint32_t>{0});
        request.bytes = bytes;
        placement.choose(all, request, chosen);
        return chosen.at(0);
    };
    CHECK(after_three_bytes(9) == 0); // (3 + 9) x 1 is less than (0 + 9) x 3
    CHECK(after_three_bytes(1) >= 2); // (3 + 1) x 1 is more than (0 + 1) x 3
}
