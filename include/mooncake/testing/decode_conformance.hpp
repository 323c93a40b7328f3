#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/decode/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least a `DecodePolicy` has: the first instance that is up. For instantiating templates.
struct MinimalDecode {
    static constexpr std::string_view name = "minimal";
    InstanceId choose(const DecodeRequest&, std::span<const DecodeInstance> instances) {
        for (InstanceId i = 0; i < instances.size(); ++i)
            if (instances[i].up) return i;
        return no_instance;
    }
};

static_assert(DecodePolicy<MinimalDecode>);

/// What every `DecodePolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <DecodePolicy D>
void decode_conformance() {
    const auto cost = CostModel();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto policy = D();
        for (int round = 0; round < 500; ++round) {
            auto instances = std::vector<DecodeInstance>(random() % 9);
            for (auto& one : instances) {
                one.up = random() % 3 != 0;
                one.sequences = random() % 100, one.tokens = random() % 2'000'000;
                one.coming = random() % 100, one.coming_tokens = random() % 2'000'000;
                one.capacity_tokens = random() % 2 == 0 ? 0 : 1'330'000;
            }
            const auto request = DecodeRequest{.now = 1, .tokens = random() % 1'000'000, .cost = &cost};
            const auto chosen = policy.choose(request, instances);
            const auto any_up = std::any_of(instances.begin(), instances.end(), [](const auto& one) { return one.up; });
            REQUIRE((chosen != no_instance) == any_up);
            if (!any_up) continue;
            REQUIRE(chosen < instances.size());
            REQUIRE(instances[chosen].up);
        }
    }
}

} // namespace mooncake::testing
