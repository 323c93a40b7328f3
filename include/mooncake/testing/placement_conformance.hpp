#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace mooncake::testing {

/// The least a `PlacementPolicy` has: the first one of those that come first. For instantiating templates.
struct MinimalPlacement {
    static constexpr std::string_view name = "minimal";

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        chosen.clear();
        auto ranks = std::vector<std::uint64_t>(candidates.size());
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            ranks[i] = placement_rank(candidates[i], request);
            for (const auto other : request.avoid)
                if (ranks[i] != never_placed) ranks[i] += rank_of_sharing(candidates[i].at, other);
        }
        while (chosen.size() < request.replicas) {
            const auto first = std::min_element(ranks.begin(), ranks.end());
            if (first == ranks.end() || *first == never_placed) return;
            *first = never_placed;
            chosen.push_back(static_cast<std::uint32_t>(first - ranks.begin()));
            for (std::size_t i = 0; i < candidates.size(); ++i)
                if (ranks[i] != never_placed)
                    ranks[i] += rank_of_sharing(candidates[i].at, candidates[chosen.back()].at);
        }
    }
};

static_assert(PlacementPolicy<MinimalPlacement>);

/// Random segments on a few hosts and racks, and what is wanted of them. Says what of a choice is wrong, without asking the
/// policy or what policies share.
class PlacementCase {
  public:
    explicit PlacementCase(std::mt19937_64& random) : candidates(random() % 13) {
        const auto now = TimePoint{} + std::chrono::hours{1};
        for (auto& one : candidates) {
            const auto host = static_cast<std::uint32_t>(random() % 7);
            const auto capacity = random() % 3 == 0 ? ~std::uint64_t{0} : random() % 1001;
            one = {.id = static_cast<std::uint32_t>(&one - candidates.data()) * 3 + 5,
                   .at = {.host = host, .rack = host % 4},
                   .free_bytes = capacity == 0 ? 0 : random() % capacity,
                   .capacity = capacity,
                   .since = now - std::chrono::seconds{random() % 60},
                   .cost = static_cast<std::uint16_t>(random() % 3),
                   .tier = random() % 4 == 0 ? std::uint8_t{1} : std::uint8_t{0},
                   .health = random() % 5 == 0   ? SegmentHealth::draining
                             : random() % 5 == 0 ? SegmentHealth::suspect
                                                 : SegmentHealth::healthy};
            if (random() % 5 == 0) excluded.push_back(one.id);
            if (random() % 4 == 0) preferred.push_back(one.id);
        }
        if (random() % 3 != 0) excluded.clear();
        if (random() % 3 != 0) preferred.clear();
        if (random() % 3 == 0) avoid.push_back({.host = 1, .rack = 1});
        request = {.bytes = random() % 1001,
                   .replicas = static_cast<std::uint32_t>(random() % 6),
                   .evenly = random() % 2 == 0,
                   .near = {.host = static_cast<std::uint32_t>(random() % 4), .rack = 1},
                   .preferred = preferred,
                   .excluded = excluded,
                   .avoid = avoid,
                   .now = now};
    }
    PlacementCase(const PlacementCase&) = delete;
    PlacementCase& operator=(const PlacementCase&) = delete;

    std::vector<SegmentCandidate> candidates;
    std::vector<std::uint32_t> preferred, excluded;
    std::vector<Location> avoid;
    PlacementRequest request;

    [[nodiscard]] bool fits(const SegmentCandidate& one) const {
        return one.free_bytes >= request.bytes && one.health != SegmentHealth::draining && !has(excluded, one.id);
    }

    /// Empty: nothing.
    [[nodiscard]] std::string_view complaint(const std::vector<std::uint32_t>& chosen) const {
        const auto fit =
            std::count_if(candidates.begin(), candidates.end(), [&](const auto& one) { return fits(one); });
        const auto most = std::min<std::size_t>(request.replicas, static_cast<std::size_t>(fit));
        if (chosen.size() > most) return "more than were asked for, or than fit";
        if (!request.evenly && chosen.size() < most) return "fewer than there are";
        if (std::set(chosen.begin(), chosen.end()).size() != chosen.size()) return "one of them twice";
        auto left = std::vector<bool>(candidates.size(), true);
        auto in_rack = std::map<std::uint32_t, int>(), in_host = in_rack;
        const auto lies_at = [&](Location at) {
            if (at.rack != 0) ++in_rack[at.rack];
            if (at.host != 0) ++in_host[at.host];
        };
        for (const auto at : avoid) lies_at(at);
        for (const auto index : chosen) {
            if (index >= candidates.size()) return "one that is not there";
            const auto& one = candidates[index];
            if (!fits(one)) return "one without room, draining or excluded";
            left[index] = false;
            const auto standing = [&](const SegmentCandidate& c) {
                return std::tuple(c.health == SegmentHealth::suspect, !preferred.empty() && !has(preferred, c.id),
                                  c.tier != request.tier, in_rack[c.at.rack], in_host[c.at.host]);
            };
            for (std::size_t i = 0; i < candidates.size() && !request.evenly; ++i)
                if (left[i] && fits(candidates[i]) && standing(candidates[i]) < standing(one))
                    return "one before another that comes first by health, preference, tier, rack or host";
            lies_at(one.at);
        }
        return {};
    }

  private:
    static bool has(const std::vector<std::uint32_t>& ids, std::uint32_t id) {
        return std::find(ids.begin(), ids.end(), id) != ids.end();
    }
};

/// What every `PlacementPolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <PlacementPolicy P>
void placement_conformance() {
    auto chosen = std::vector<std::uint32_t>();
    const auto segments = [](std::uint32_t count, std::uint32_t hosts, std::uint32_t racks) {
        auto all = std::vector<SegmentCandidate>();
        for (std::uint32_t i = 0; i < count; ++i)
            all.push_back({.id = i + 1,
                           .at = {.host = i % hosts + 1, .rack = i % racks + 1},
                           .free_bytes = 1000,
                           .capacity = 1000});
        return all;
    };
    using Ids = std::vector<std::uint32_t>;

    SUBCASE("where there is nothing, or nothing wanted, nothing is chosen") {
        auto policy = P();
        const auto one = std::vector<SegmentCandidate>{{.id = 7, .free_bytes = 10, .capacity = 10}};
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
        const auto one = std::vector<SegmentCandidate>{{.id = ~std::uint32_t{0}, .free_bytes = 10, .capacity = 10}};
        policy.choose(one, {.bytes = 10}, chosen);
        CHECK(chosen == Ids{0});
        policy.choose(one, {.bytes = 0}, chosen);
        CHECK(chosen == Ids{0});
    }

    SUBCASE("random segments: who is chosen fits, and comes first by health, preference, tier, rack and host") {
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            auto policy = P();
            for (int round = 0; round < 1'000; ++round) {
                const auto one = PlacementCase(random);
                policy.choose(one.candidates, one.request, chosen);
                REQUIRE(one.complaint(chosen) == std::string_view());
            }
        }
    }

    SUBCASE("excluded and draining ones are never chosen, were they the only ones") {
        auto policy = P();
        auto all = segments(8, 8, 8);
        all[2].health = all[3].health = SegmentHealth::draining;
        const auto excluded = Ids{1, 2};
        for (int round = 0; round < 500; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 2, .excluded = excluded}, chosen);
            REQUIRE(chosen.size() == 2);
            for (const auto index : chosen) REQUIRE(index >= 4);
        }
        policy.choose(std::span(all).first(4), {.bytes = 1, .replicas = 2, .excluded = excluded}, chosen);
        CHECK(chosen.empty());
    }

    SUBCASE("suspects are chosen where nothing else fits, and only there") {
        auto policy = P();
        auto all = segments(6, 2, 1);
        for (const auto index : {0, 2, 4}) all[static_cast<std::size_t>(index)].health = SegmentHealth::suspect;
        for (int round = 0; round < 200; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 3}, chosen);
            REQUIRE(std::set(chosen.begin(), chosen.end()) == std::set<std::uint32_t>{1, 3, 5});
        }
        policy.choose(all, {.bytes = 1, .replicas = 5}, chosen);
        CHECK(chosen.size() == 5);
    }

    SUBCASE("preferred ones come first, if they have room") {
        auto policy = P();
        auto all = segments(16, 4, 2);
        all[5].free_bytes = 0;
        const auto preferred = Ids{6, 10}; // indices 5 and 9
        for (int round = 0; round < 200; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 2, .evenly = true, .preferred = preferred}, chosen);
            REQUIRE(chosen.size() >= 1);
            REQUIRE(chosen[0] == 9);
        }
        policy.choose(all, {.bytes = 1, .replicas = 16, .preferred = preferred}, chosen);
        CHECK(chosen.size() == 15);
    }

    SUBCASE("replicas spread over racks first, then over hosts, and away from what is to be avoided") {
        auto policy = P();
        const auto all = segments(24, 12, 3); // four hosts a rack, two segments a host
        for (int round = 0; round < 200; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 12, .near = all[0].at}, chosen);
            REQUIRE(chosen.size() == 12);
            for (const auto count : {3U, 6U, 9U, 12U}) {
                auto racks = std::map<std::uint32_t, std::uint32_t>();
                auto hosts = std::set<std::uint32_t>();
                for (std::uint32_t i = 0; i < count; ++i) {
                    ++racks[all[chosen[i]].at.rack];
                    hosts.insert(all[chosen[i]].at.host);
                }
                REQUIRE(hosts.size() == count);
                for (const auto& [rack, replicas] : racks) REQUIRE(replicas == count / 3);
            }
            const auto there = std::vector<Location>{all[0].at, all[1].at};
            policy.choose(all, {.bytes = 1, .replicas = 1, .near = all[0].at, .avoid = there}, chosen);
            REQUIRE(all[chosen.at(0)].at.rack == all[2].at.rack);
        }
    }

    SUBCASE("what is told of no host and no rack shares neither") {
        auto policy = P();
        auto all = segments(6, 1, 1);
        for (const auto index : {1, 4}) all[static_cast<std::size_t>(index)].at = {};
        for (int round = 0; round < 100; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 3}, chosen);
            REQUIRE(chosen.size() == 3);
            REQUIRE(std::count(chosen.begin(), chosen.end(), 1U) + std::count(chosen.begin(), chosen.end(), 4U) == 2);
        }
    }

    SUBCASE("thousands of segments, and more replicas than there are") {
        auto policy = P();
        auto all = segments(3'000, 500, 50);
        for (std::size_t i = 0; i < all.size(); i += 3) all[i].free_bytes = 0;
        policy.choose(all, {.bytes = 1, .replicas = 10'000}, chosen);
        CHECK(std::set(chosen.begin(), chosen.end()).size() == 2'000);
        for (int round = 0; round < 50; ++round) {
            policy.choose(all, {.bytes = 1, .replicas = 3}, chosen);
            REQUIRE(chosen.size() == 3);
            for (const auto index : chosen) REQUIRE(index % 3 != 0);
        }
    }

    SUBCASE("asked for even shares over and over, it does not refuse for ever") {
        auto policy = P();
        auto both = segments(2, 2, 2);
        both[0].free_bytes = 0;
        auto placed = 0;
        for (int round = 0; round < 1'000; ++round) {
            policy.choose(both, {.bytes = 1, .replicas = 1, .evenly = true}, chosen);
            if (chosen.empty()) policy.choose(both, {.bytes = 1, .replicas = 1}, chosen);
            placed += chosen == Ids{1};
        }
        CHECK(placed == 1'000);
    }
}

} // namespace mooncake::testing
