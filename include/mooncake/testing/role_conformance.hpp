#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/role/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least a `RolePolicy` has: nobody changes. For instantiating templates.
struct MinimalRole {
    static constexpr std::string_view name = "minimal";
    void routed(double, double, double) {}
    InstanceId change(const RoleView&) { return no_instance; }
};

static_assert(RolePolicy<MinimalRole>);

/// What every `RolePolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <RolePolicy R>
void role_conformance() {
    const auto cost = CostModel();
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto policy = R();
        const auto machines = std::size_t{2} + random() % 6;
        auto roles = std::vector<ServingRole>(machines, ServingRole::prefill);
        roles.back() = ServingRole::decode;
        for (int second = 0; second < 1'500; ++second) {
            const auto now = static_cast<double>(second);
            const auto heavy = second / 500 % 2 == 0; // prefill, then decode
            for (auto left = random() % 5; left != 0; --left) {
                const auto whole = (heavy ? 4 : .1) * random.uniform();
                policy.routed(now, random() % 50 == 0 ? 0 : whole * random.uniform(), whole);
            }
            auto prefill = std::vector<PrefillInstance>(machines);
            auto decode = std::vector<DecodeInstance>(machines);
            for (std::size_t i = 0; i < machines; ++i) {
                prefill[i].up = roles[i] == ServingRole::prefill, decode[i].up = roles[i] == ServingRole::decode;
                prefill[i].queued_seconds = prefill[i].up && heavy ? 20 * random.uniform() : 0;
                prefill[i].cached_blocks = random() % 6'000;
                decode[i].sequences = decode[i].up && !heavy ? random() % 500 : 0;
                decode[i].tokens = decode[i].sequences * 1'000;
            }
            const auto view = RoleView{.now = now,
                                       .cluster = {.prefill = prefill, .decode = decode, .cost = &cost},
                                       .roles = roles,
                                       .tbt_slo = random() % 20 == 0 ? 0.0 : .1};
            const auto chosen = policy.change(view);
            for (auto& role : roles) { // those on their way arrive after a while
                if (random() % 10 != 0) continue;
                if (role == ServingRole::to_prefill) role = ServingRole::prefill;
                if (role == ServingRole::to_decode) role = ServingRole::decode;
            }
            if (chosen == no_instance) continue;
            REQUIRE(chosen < machines);
            REQUIRE((view.cluster.prefill[chosen].up || view.cluster.decode[chosen].up)); // it has a role
            roles[chosen] = view.cluster.prefill[chosen].up ? ServingRole::to_decode : ServingRole::to_prefill;
            const auto stays = [&](ServingRole there, ServingRole coming) {
                return std::any_of(roles.begin(), roles.end(),
                                   [&](ServingRole role) { return role == there || role == coming; });
            };
            REQUIRE(stays(ServingRole::prefill, ServingRole::to_prefill));
            REQUIRE(stays(ServingRole::decode, ServingRole::to_decode));
        }
    }
}

} // namespace mooncake::testing
