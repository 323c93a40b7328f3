// labels: unit
#include <mooncake/store/placement/policies.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

/// What the others are measured by: whoever is emptiest.
struct FullSearch {
    static constexpr std::string_view name = "full-search";

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        chooser.choose(
            candidates, request, chosen,
            [&](PlacementChooser::Equals equals) {
                auto best = std::size_t{0};
                for (std::size_t i = 1; i < equals.size(); ++i)
                    if (!emptier(candidates[equals[best]], candidates[equals[i]])) best = i;
                return best;
            },
            [](const SegmentCandidate&) { return false; });
    }
    PlacementChooser chooser{0};
};
static_assert(PlacementPolicy<FullSearch>);

enum class Sizes : std::uint8_t { equal, unequal };

/// The fullest of 64 segments beside the mean, by share of capacity, after 100,000 placements that fill half of them all.
template <class Policy>
double fullest(Sizes sizes) {
    auto all = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 64; ++i) {
        const auto capacity = sizes == Sizes::equal ? 3'125ULL : 1'250ULL * (1 + i % 4); // 200,000 in all
        all.push_back({.id = i, .at = {.host = i + 1}, .free_bytes = capacity, .capacity = capacity});
    }
    auto policy = Policy();
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < 100'000; ++round) {
        policy.choose(all, {.bytes = 1}, chosen);
        REQUIRE(chosen.size() == 1);
        --all[chosen[0]].free_bytes;
    }
    auto most = 0.0;
    for (const auto& one : all)
        most = std::max(most, 1 - static_cast<double>(one.free_bytes) / static_cast<double>(one.capacity));
    return most / .5;
}

/// Eight full segments and an empty one that has just come. Gives, of 10,000 writes, 100 a second, those that went there. Where
/// a choice fails, the master evicts something somewhere and asks again.
template <class Policy>
int writes_to_a_new_one(TimePoint since) {
    const auto start = TimePoint{} + 24h;
    auto all = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 9; ++i)
        all.push_back({.id = i + 1,
                       .at = {.host = i + 1},
                       .free_bytes = 100'000,
                       .capacity = 100'000,
                       .since = i == 8 ? since : TimePoint{}});
    auto policy = Policy();
    auto random = std::mt19937_64(1);
    auto chosen = std::vector<std::uint32_t>();
    auto request = PlacementRequest{.bytes = 1, .evenly = true, .near = all[0].at, .now = start};
    for (int round = 0; round < 2'000; ++round)
        policy.choose(std::span(all).first(8), request, chosen); // once upon a time
    for (std::size_t i = 0; i < 8; ++i) all[i].free_bytes = 0;
    auto there = 0;
    for (int round = 0; round < 10'000; ++round) {
        request.now = start + round * 10ms;
        policy.choose(all, request, chosen);
        while (chosen.empty()) {
            ++all[random() % 8].free_bytes; // evicted
            policy.choose(all, request, chosen);
        }
        --all[chosen[0]].free_bytes;
        there += chosen[0] == 8;
    }
    return there;
}

} // namespace

TEST_CASE("placement: of 64 segments, two choices come close to a full search, and chance does not") {
    for (const auto sizes : {Sizes::equal, Sizes::unequal}) {
        CAPTURE(static_cast<int>(sizes));
        const auto full = fullest<FullSearch>(sizes), two = fullest<PowerOfTwoChoices>(sizes);
        const auto cost = fullest<CostAware>(sizes), local = fullest<LocalFirst>(sizes);
        const auto topology = fullest<TopologyAware>(sizes), chance = fullest<RandomPlacement>(sizes);
        MESSAGE("fullest beside the mean: full search ", full, ", power of two ", two, ", local first ", local,
                ", topology ", topology, ", cost ", cost, ", random ", chance);
        CHECK(full <= two);
        CHECK(two < 1.02 * full);
        CHECK(local < 1.02 * full);
        CHECK(topology < 1.02 * full);
        CHECK(cost < 1.05 * full); // it looks at what was placed, not at what is free
        CHECK(chance > 1.03 * full);
        CHECK(two - 1 < (chance - 1) / 2);
    }
}

TEST_CASE("S8: a new, empty segment in a full cluster gets no more than twice its share of the writes") {
    const auto share = 10'000 / 9;
    PlacementPolicies::for_each([&]<class Policy>() {
        CAPTURE(Policy::name);
        const auto old = writes_to_a_new_one<Policy>(TimePoint{});
        const auto just_come = writes_to_a_new_one<Policy>(TimePoint{} + 24h);
        MESSAGE(Policy::name, ": of 10,000 writes ", just_come, " to one that has just come, ", old,
                " to one that was always there");
        CHECK(just_come > 0);
        CHECK(just_come <= 2 * share);
        CHECK(just_come < old); // it warms up
        CHECK(old <= 2 * share + share / 10);
    });
}

TEST_CASE("warm-up: a tenth at first, then in proportion to age, and all in the end") {
    const auto warm_up = WarmUp{.window = 30s};
    const auto mounted = SegmentCandidate{.since = TimePoint{} + 1h};
    const auto at = [&](Duration age) { return warm_up.weight(mounted, mounted.since + age); };
    CHECK(at(0s) == .1);
    CHECK(at(2s) == .1);
    CHECK(at(15s) == doctest::Approx(.5));
    CHECK(at(30s) == 1);
    CHECK(at(24h) == 1);
    CHECK(at(-1s) == .1); // clocks of others
    CHECK(warm_up.weight(SegmentCandidate{}, TimePoint{}) == 1);
    CHECK(WarmUp{.window = 0s}.weight(mounted, mounted.since) == 1);
}

TEST_CASE("warm-up: where all have just come, nobody is left out") {
    auto all = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 8; ++i)
        all.push_back({.id = i, .free_bytes = 100'000, .capacity = 100'000, .since = TimePoint{} + 1h});
    PlacementPolicies::for_each([&]<class Policy>() {
        CAPTURE(Policy::name);
        auto policy = Policy();
        auto chosen = std::vector<std::uint32_t>();
        auto counts = std::vector<int>(all.size());
        for (int round = 0; round < 8'000; ++round) {
            policy.choose(all, {.bytes = 1, .evenly = true, .now = TimePoint{} + 1h + 1s}, chosen);
            REQUIRE(chosen.size() == 1);
            ++counts[chosen[0]];
        }
        CHECK(*std::min_element(counts.begin(), counts.end()) > 850);
    });
}

TEST_CASE("shares: two replicas on two segments are never held to a share") {
    auto policy = PowerOfTwoChoices();
    const auto both = std::vector<SegmentCandidate>{
        {.id = 1, .at = {.host = 1}, .free_bytes = 1'000'000, .capacity = 1'000'000},
        {.id = 2, .at = {.host = 2}, .free_bytes = 10'000, .capacity = 10'000, .since = TimePoint{} + 1h}};
    auto chosen = std::vector<std::uint32_t>();
    for (int round = 0; round < 1'000; ++round) {
        policy.choose(both, {.bytes = 1, .replicas = 2, .evenly = true, .now = TimePoint{} + 1h}, chosen);
        REQUIRE(chosen.size() == 2);
    }
}

TEST_CASE("S4: with two replicas on three racks, no object goes with any one rack") {
    PlacementPolicies::for_each([&]<class Policy>() {
        CAPTURE(Policy::name);
        auto all = std::vector<SegmentCandidate>();
        for (std::uint32_t i = 0; i < 12; ++i) // rack 1 has most of the room
            all.push_back({.id = i,
                           .at = {.host = i / 2 + 1,
                                  .rack = i < 8    ? 1U
                                          : i < 10 ? 2U
                                                   : 3U},
                           .free_bytes = 3'000,
                           .capacity = 3'000});
        auto policy = Policy();
        auto chosen = std::vector<std::uint32_t>();
        auto lost = std::vector<int>(4);
        for (std::uint32_t round = 0; round < 10'000; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 2, .near = all[round % 12].at}, chosen);
            REQUIRE(chosen.size() == 2);
            for (const auto rack : {1U, 2U, 3U})
                lost[rack] += all[chosen[0]].at.rack == rack && all[chosen[1]].at.rack == rack;
            for (const auto index : chosen) --all[index].free_bytes;
        }
        CHECK(lost == std::vector<int>(4));
    });
}
