#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/balance/concept.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least a `BalancePolicy` has: it copies nothing. For instantiating templates.
struct MinimalBalance {
    static constexpr std::string_view name = "minimal";
    BlockCopy routed(const RoutedRequest&, std::span<const PrefillInstance>) { return {}; }
};

static_assert(BalancePolicy<MinimalBalance>);

/// What every `BalancePolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <BalancePolicy B>
void balance_conformance() {
    const auto cost = CostModel();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto policy = B();
        for (int round = 0; round < 2'000; ++round) {
            auto blocks = std::vector<BlockKey>(random() % 12); // few prompts, so that some are hot
            for (std::size_t i = 0, head = random() % 3; i < blocks.size(); ++i) blocks[i] = head * 100 + i;
            auto instances = std::vector<PrefillInstance>(1 + random() % 6);
            auto held = std::vector<std::uint32_t>();
            for (auto& one : instances) {
                one.up = random() % 4 != 0;
                one.busy_until = round + 5 * random.uniform();
                one.queued_seconds = random() % 2 == 0 ? 0 : 10 * random.uniform();
                one.cached_blocks = random() % 50, one.capacity_blocks = 50;
                held.push_back(one.up ? static_cast<std::uint32_t>(random() % (blocks.size() + 1)) : 0);
            }
            const auto request = RoutedRequest{.now = double(round),
                                               .blocks = blocks,
                                               .held = held,
                                               .instance = static_cast<InstanceId>(random() % instances.size()),
                                               .cost = &cost};
            const auto copy = policy.routed(request, instances);
            if (copy.target == no_instance) continue;
            REQUIRE(copy.target < instances.size());
            REQUIRE(copy.source < instances.size());
            REQUIRE(copy.source != copy.target);
            REQUIRE(instances[copy.source].up);
            REQUIRE(instances[copy.target].up);
            REQUIRE(copy.blocks <= held[copy.source]);
            REQUIRE(copy.blocks > held[copy.target]);
            const auto& target = instances[copy.target];
            REQUIRE(target.cached_blocks + copy.blocks - held[copy.target] <= target.capacity_blocks);
        }
    }
}

} // namespace mooncake::testing
