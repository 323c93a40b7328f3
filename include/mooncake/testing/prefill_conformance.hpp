#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/prefill/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least a `PrefillPolicy` has: the first instance that is up. For instantiating templates.
struct MinimalPrefill {
    static constexpr std::string_view name = "minimal";
    PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        for (InstanceId i = 0; i < instances.size(); ++i)
            if (instances[i].up) return {.instance = i, .reused = request.held[i], .key = request.now};
        return {};
    }
};

static_assert(PrefillPolicy<MinimalPrefill>);

/// What every `PrefillPolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <PrefillPolicy P>
void prefill_conformance() {
    const auto cost = CostModel();

    SUBCASE("where no instance is up, none is chosen") {
        auto policy = P();
        const auto held = std::vector<std::uint32_t>{1, 2};
        const auto blocks = std::vector<BlockKey>{1, 2, 3};
        const auto down = std::vector<PrefillInstance>{{.up = false}, {.up = false}};
        const auto request = PrefillRequest{.now = 1, .tokens = 1500, .blocks = blocks, .held = held, .cost = &cost};
        CHECK(policy.choose(request, down).instance == no_instance);
        CHECK(policy.choose(request, {}).instance == no_instance);
    }

    SUBCASE("random clusters: whoever is chosen is up, and what is reused is there") {
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            auto random = SplitMix64(seed);
            auto policy = P();
            for (int round = 0; round < 500; ++round) {
                const auto now = 100 * random.uniform();
                auto blocks = std::vector<BlockKey>(random() % 40);
                for (auto& key : blocks) key = random();
                auto instances = std::vector<PrefillInstance>(random() % 9);
                auto held = std::vector<std::uint32_t>();
                for (auto& one : instances) {
                    one.up = random() % 4 != 0;
                    one.busy_until = 120 * random.uniform();
                    for (auto left = random() % 4; left != 0; --left)
                        one.queue.push_back({.key = now * random.uniform(), .seconds = 3 * random.uniform()});
                    std::sort(one.queue.begin(), one.queue.end(),
                              [](const auto& a, const auto& b) { return a.key < b.key; });
                    for (const auto& waits : one.queue) one.queued_seconds += waits.seconds;
                    one.requests = static_cast<std::uint32_t>(random() % 200);
                    one.new_tokens = random() % 100'000, one.active_blocks = random() % 1'000;
                    one.cached_blocks = random() % 1'000, one.capacity_blocks = random() % 1'001;
                    held.push_back(static_cast<std::uint32_t>(random() % (blocks.size() + 1)));
                }
                const auto request = PrefillRequest{.now = now,
                                                    .tokens = blocks.size() * 512,
                                                    .blocks = blocks,
                                                    .held = held,
                                                    .ttft_slo = random() % 3 == 0 ? 0 : 30 * random.uniform(),
                                                    .cost = &cost};
                const auto choice = policy.choose(request, instances);
                const auto any_up =
                    std::any_of(instances.begin(), instances.end(), [](const auto& one) { return one.up; });
                REQUIRE((choice.instance != no_instance) == any_up);
                if (!any_up) continue;
                REQUIRE(choice.instance < instances.size());
                REQUIRE(instances[choice.instance].up);
                REQUIRE(std::isfinite(choice.key));
                if (choice.source == no_instance) {
                    REQUIRE(choice.reused == held[choice.instance]);
                    continue;
                }
                REQUIRE(choice.source < instances.size());
                REQUIRE(choice.source != choice.instance);
                REQUIRE(instances[choice.source].up);
                REQUIRE(choice.reused > held[choice.instance]);
                REQUIRE(choice.reused <= held[choice.source]);
            }
        }
    }
}

} // namespace mooncake::testing
