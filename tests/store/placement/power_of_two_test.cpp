// labels: unit conformance
#include <mooncake/store/placement/power_of_two.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string_view>
#include <vector>

using namespace mooncake;

namespace {

struct LacksChoose {
    static constexpr std::string_view name = "lacks";
};
struct LacksName {
    void choose(std::span<const SegmentCandidate>, const PlacementRequest&, std::vector<std::uint32_t>&) {}
};
struct ReturnsIndex {
    static constexpr std::string_view name = "returns";
    int choose(std::span<const SegmentCandidate>, const PlacementRequest&, std::vector<std::uint32_t>&) { return 0; }
};
static_assert(!PlacementPolicy<LacksChoose>);
static_assert(!PlacementPolicy<LacksName>);
static_assert(!PlacementPolicy<ReturnsIndex>);

std::vector<SegmentCandidate> candidates_of(std::uint32_t count, std::uint32_t hosts) {
    auto candidates = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < count; ++i)
        candidates.push_back({.id = i, .at = {.host = i % hosts + 1}, .free_bytes = 1000, .capacity = 1000});
    return candidates;
}

} // namespace

TEST_CASE("placement: two choices do what every policy does") { testing::placement_conformance<PowerOfTwoChoices>(); }

TEST_CASE("placement: the least policy does what every policy does") {
    testing::placement_conformance<testing::MinimalPlacement>();
}

TEST_CASE("placement: replicas are distinct, fit, and are as many as can be") {
    auto random = std::mt19937_64(1);
    auto placement = PowerOfTwoChoices(2);
    auto chosen = std::vector<std::uint32_t>{99};
    for (int round = 0; round < 5'000; ++round) {
        auto candidates =
            candidates_of(static_cast<std::uint32_t>(random() % 8), 1 + static_cast<std::uint32_t>(random() % 4));
        for (auto& candidate : candidates) candidate.free_bytes = random() % 1001;
        const auto request =
            PlacementRequest{.bytes = random() % 1001, .replicas = static_cast<std::uint32_t>(random() % 5)};
        placement.choose(candidates, request, chosen);
        const auto fit = std::count_if(candidates.begin(), candidates.end(),
                                       [&](const auto& c) { return c.free_bytes >= request.bytes; });
        REQUIRE(chosen.size() == std::min<std::size_t>(request.replicas, static_cast<std::size_t>(fit)));
        REQUIRE(std::set(chosen.begin(), chosen.end()).size() == chosen.size());
        for (const auto index : chosen) REQUIRE(candidates.at(index).free_bytes >= request.bytes);
    }
}

TEST_CASE("placement: replicas share a host only when there is no other") {
    auto placement = PowerOfTwoChoices(3);
    auto chosen = std::vector<std::uint32_t>();
    const auto candidates = candidates_of(9, 3);
    for (int round = 0; round < 1'000; ++round) {
        placement.choose(candidates, {.bytes = 1, .replicas = 4}, chosen);
        auto hosts = std::set<std::uint32_t>();
        for (std::size_t i = 0; i < 3; ++i) hosts.insert(candidates[chosen[i]].at.host);
        REQUIRE(hosts.size() == 3);
        REQUIRE(chosen.size() == 4);
    }
}

TEST_CASE("placement: bytes spread evenly, also when the segments differ in size") {
    auto placement = PowerOfTwoChoices(4);
    auto chosen = std::vector<std::uint32_t>();
    auto candidates = candidates_of(10, 10);
    for (auto& candidate : candidates) candidate.free_bytes = candidate.capacity = 10'000 * (1 + candidate.id % 2);
    for (int round = 0; round < 75'000; ++round) {
        placement.choose(candidates, {.bytes = 1, .replicas = 1}, chosen);
        --candidates[chosen.at(0)].free_bytes;
    }
    for (const auto& candidate : candidates) {
        const auto used = 1 - static_cast<double>(candidate.free_bytes) / static_cast<double>(candidate.capacity);
        CHECK(used == doctest::Approx(.5).epsilon(.02));
    }
}

TEST_CASE("placement: the same seed makes the same choices, another seed others") {
    const auto candidates = candidates_of(16, 16);
    const auto choices = [&](std::uint64_t seed) {
        auto placement = PowerOfTwoChoices(seed);
        auto chosen = std::vector<std::uint32_t>();
        auto all = std::vector<std::uint32_t>();
        for (int round = 0; round < 100; ++round) {
            placement.choose(candidates, {.bytes = 1, .replicas = 1}, chosen);
            all.push_back(chosen.at(0));
        }
        return all;
    };
    CHECK(choices(1) == choices(1));
    CHECK(choices(1) != choices(2));
}

TEST_CASE(
    "placement: an empty segment among full ones gets twice its share, and all of it when nothing else has room") {
    auto placement = PowerOfTwoChoices(5);
    auto chosen = std::vector<std::uint32_t>();
    auto candidates = candidates_of(10, 10);
    const auto place = [&](bool evenly) {
        placement.choose(candidates, {.bytes = 1, .replicas = 1, .evenly = evenly}, chosen);
        return chosen.empty() ? 99 : chosen[0];
    };
    for (int round = 0; round < 2'000; ++round) REQUIRE(place(true) != 99);
    for (auto& candidate : candidates) candidate.free_bytes = candidate.id == 9 ? 1000 : 0;
    auto on_new = 0;
    const auto rounds = 10'000;
    for (int round = 0; round < rounds; ++round) {
        const auto old = static_cast<std::uint32_t>(round) % 9;
        if (place(true) == 9) {
            ++on_new;
            continue;
        }
        REQUIRE(chosen.empty());
        candidates[old].free_bytes = 1; // what a master does: it evicts something there
        CHECK(place(true) == old);
        candidates[old].free_bytes = 0;
    }
    CHECK(on_new > rounds * 15 / 100);
    CHECK(on_new < rounds * 25 / 100);
    for (int round = 0; round < 1'000; ++round) REQUIRE(place(false) == 9);
}

TEST_CASE("placement: chance is not taken for more than a share") {
    for (const auto count : {3U, 10U, 200U}) {
        auto placement = PowerOfTwoChoices(6);
        auto chosen = std::vector<std::uint32_t>();
        const auto candidates = candidates_of(count, count);
        for (int round = 0; round < 20'000; ++round) {
            placement.choose(candidates, {.bytes = 1, .replicas = 2, .evenly = true}, chosen);
            REQUIRE(chosen.size() == 2);
        }
    }
}
