#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/random.hpp>
#include <mooncake/engine/path_policy/concept.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least a `PathPolicy` has. For instantiating templates.
struct MinimalPaths {
    static constexpr std::string_view name = "minimal";
    [[nodiscard]] std::size_t choose(std::span<const PathView> paths, const PathWish&, TimePoint) const noexcept {
        for (std::size_t i = 0; i < paths.size(); ++i)
            if (paths[i].usable) return i;
        return paths.size();
    }
};

static_assert(PathPolicy<MinimalPaths>);

/// What every `PathPolicy` must do. Call it from a `TEST_CASE`.
template <PathPolicy P>
void path_policy_conformance() {
    const auto start = TimePoint(std::chrono::hours{1});
    SUBCASE("nothing to choose from is nothing chosen") {
        auto policy = P();
        const auto unusable = std::vector<PathView>(3, {.usable = false, .room = 1 * MiB});
        CHECK(policy.choose({}, {1, 1}, start) == 0);
        CHECK(policy.choose(unusable, {1, 1}, start) == 3);
    }
    SUBCASE("the one that is usable is chosen, wherever it is and however slow, far or full") {
        for (std::size_t at = 0; at < 5; ++at) {
            auto paths = std::vector<PathView>(5, {.usable = false, .room = 1 * MiB, .bytes_per_second = 1e9});
            paths[at] = {.usable = true, .preference = 7, .in_flight = 1 * GiB, .room = 0, .bytes_per_second = 1};
            auto policy = P();
            for (auto i = 0; i < 10; ++i) CHECK(policy.choose(paths, {1 * MiB, 1 * GiB}, start) == at);
        }
    }
    SUBCASE("of paths that are alike none is left out for long") {
        auto policy = P();
        auto paths = std::vector<PathView>(4, {.room = 64 * MiB, .bytes_per_second = 1e8, .last_used = start});
        auto chosen = std::vector<unsigned>(paths.size());
        for (auto i = 0; i < 400; ++i) {
            const auto at = policy.choose(paths, {1 * MiB, 1 * GiB}, start);
            REQUIRE(at < paths.size());
            ++chosen[at];
            paths[at].in_flight += 1 * MiB;
            if (i % 4 == 3)
                for (auto& path : paths) path.in_flight = 0; // all have arrived
        }
        for (const auto count : chosen) CHECK(count > 50);
    }
    SUBCASE("whatever the numbers are, the choice is one that may be") {
        auto random = SplitMix64(1);
        auto policy = P();
        for (auto i = 0; i < 2'000; ++i) {
            auto paths = std::vector<PathView>(random() % 17);
            auto usable = false;
            for (auto& path : paths) {
                path = {.usable = random() % 3 != 0,
                        .preference = static_cast<unsigned>(random() % 4),
                        .in_flight = random() >> random() % 64,
                        .room = random() >> random() % 64,
                        .bytes_per_second = random() % 4 == 0 ? 0 : random.uniform() * 1e12,
                        .last_used = start - std::chrono::milliseconds(random() % 10'000)};
                usable |= path.usable;
            }
            const auto left = random() >> random() % 64;
            const auto at = policy.choose(paths, {left / 2, left}, start);
            if (usable) REQUIRE((at < paths.size() && paths[at].usable));
            else REQUIRE(at == paths.size());
        }
    }
}

} // namespace mooncake::testing
