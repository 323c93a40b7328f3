// labels: unit conformance
#include <mooncake/store/placement/local_first.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <vector>

using namespace mooncake;

namespace {
/// Two segments a host, four hosts, two racks.
std::vector<SegmentCandidate> two_a_host() {
    auto all = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 8; ++i)
        all.push_back(
            {.id = i, .at = {.host = i / 2 + 1, .rack = i / 4 + 1}, .free_bytes = 10'000, .capacity = 10'000});
    return all;
}
} // namespace

TEST_CASE("placement: local first does what every policy does") { testing::placement_conformance<LocalFirst>(); }

TEST_CASE(
    "local first: the writer's host is taken while it has room, the emptier of its segments sooner, then the others") {
    auto placement = LocalFirst(1);
    auto all = two_a_host();
    const auto near = all[2].at;
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < 20'000; ++round) {
        placement.choose(all, {.bytes = 1, .evenly = true, .near = near}, chosen);
        REQUIRE(all[chosen.at(0)].at == near);
        --all[chosen[0]].free_bytes;
    }
    CHECK(all[2].free_bytes == 0);
    CHECK(all[3].free_bytes == 0);
    placement.choose(all, {.bytes = 1, .near = near}, chosen);
    REQUIRE(chosen.size() == 1);
    CHECK(all[chosen[0]].at != near);
}

TEST_CASE("local first: the second replica leaves the rack") {
    auto placement = LocalFirst(2);
    const auto all = two_a_host();
    auto chosen = std::vector<std::uint32_t>();
    auto others = std::set<std::uint32_t>();
    for (int round = 0; round < 500; ++round) {
        placement.choose(all, {.bytes = 1, .replicas = 2, .near = all[2].at}, chosen);
        REQUIRE(all[chosen.at(0)].at.host == 2);
        REQUIRE(all[chosen.at(1)].at.rack == 2);
        others.insert(chosen[1]);
    }
    CHECK(others.size() == 4);
}

TEST_CASE("local first: who is not told where the writer is spreads over all") {
    auto placement = LocalFirst(3);
    const auto all = two_a_host();
    auto chosen = std::vector<std::uint32_t>();
    auto seen = std::set<std::uint32_t>();
    for (int round = 0; round < 500; ++round) {
        placement.choose(all, {.bytes = 1}, chosen);
        seen.insert(chosen.at(0));
    }
    CHECK(seen.size() == all.size());
}
