#pragma once

#include <mooncake/store/placement/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace mooncake::testing {

/// The least a `PlacementPolicy` has: the first ones that fit. For instantiating templates.
struct MinimalPlacement {
    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        chosen.clear();
        for (std::uint32_t i = 0; i < candidates.size() && chosen.size() < request.replicas; ++i)
            if (candidates[i].free_bytes >= request.bytes) chosen.push_back(i);
    }
};

static_assert(PlacementPolicy<MinimalPlacement>);

/// What every `PlacementPolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <PlacementPolicy P>
void placement_conformance() {
    auto chosen = std::vector<std::uint32_t>();

    SUBCASE("where there is nothing, or nothing wanted, nothing is chosen") {
        auto policy = P();
        const auto one = std::vector<SegmentCandidate>{{.id = 7, .free_bytes = 10, .capacity = 10, .host = "a"}};
        for (const auto& request : {PlacementRequest{.bytes = 11}, PlacementRequest{.bytes = 1, .replicas = 0}}) {
            chosen = {99}; // of the last time
            policy.choose(one, request, chosen);
            CHECK(chosen.empty());
        }
        chosen = {99};
        policy.choose({}, {.bytes = 1, .replicas = 3}, chosen);
        CHECK(chosen.empty());
    }

    SUBCASE("what is chosen are indices, not ids; and what just fits, fits") {
        auto policy = P();
        const auto one =
            std::vector<SegmentCandidate>{{.id = ~std::uint32_t{0}, .free_bytes = 10, .capacity = 10, .host = "a"}};
        policy.choose(one, {.bytes = 10}, chosen);
        CHECK(chosen == std::vector<std::uint32_t>{0});
        policy.choose(one, {.bytes = 0}, chosen);
        CHECK(chosen == std::vector<std::uint32_t>{0});
    }

    SUBCASE("random segments: all are distinct and fit, and fewer than wanted come only where there are no more") {
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            auto policy = P();
            for (int round = 0; round < 1'000; ++round) {
                auto candidates = std::vector<SegmentCandidate>(random() % 9);
                for (auto& candidate : candidates) {
                    const auto capacity = random() % 3 == 0 ? ~std::uint64_t{0} : random() % 1001;
                    candidate = {.id = static_cast<std::uint32_t>(random() % 100),
                                 .free_bytes = capacity == 0 ? 0 : random() % capacity,
                                 .capacity = capacity,
                                 .host = "host-" + std::to_string(random() % 4)};
                }
                const auto request = PlacementRequest{.bytes = random() % 1001,
                                                      .replicas = static_cast<std::uint32_t>(random() % 5),
                                                      .evenly = random() % 2 == 0};
                policy.choose(candidates, request, chosen);
                const auto fit = std::count_if(candidates.begin(), candidates.end(), [&](const auto& candidate) {
                    return candidate.free_bytes >= request.bytes;
                });
                const auto most = std::min<std::size_t>(request.replicas, static_cast<std::size_t>(fit));
                REQUIRE(chosen.size() <= most);
                if (!request.evenly) REQUIRE(chosen.size() == most);
                REQUIRE(std::set(chosen.begin(), chosen.end()).size() == chosen.size());
                for (const auto index : chosen) {
                    REQUIRE(index < candidates.size());
                    REQUIRE(candidates[index].free_bytes >= request.bytes);
                }
            }
        }
    }

    SUBCASE("asked for even shares over and over, it does not refuse for ever") {
        auto policy = P();
        const auto candidates = std::vector<SegmentCandidate>{{.id = 1, .free_bytes = 0, .capacity = 10, .host = "a"},
                                                              {.id = 2, .free_bytes = 10, .capacity = 10, .host = "b"}};
        auto placed = 0;
        for (int round = 0; round < 1'000; ++round) {
            policy.choose(candidates, {.bytes = 1, .replicas = 1, .evenly = true}, chosen);
            if (chosen.empty()) policy.choose(candidates, {.bytes = 1, .replicas = 1}, chosen);
            placed += chosen == std::vector<std::uint32_t>{1};
        }
        CHECK(placed == 1'000);
    }
}

} // namespace mooncake::testing
