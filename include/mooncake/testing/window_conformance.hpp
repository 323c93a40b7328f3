#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/engine/window/concept.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string_view>

namespace mooncake::testing {

/// The least a `WindowPolicy` has. For instantiating templates.
struct MinimalWindow {
    static constexpr std::string_view name = "minimal";
    void arrived(double, Duration) noexcept {}
    void failed() noexcept {}
    [[nodiscard]] std::uint64_t bytes() const noexcept { return 1 * MiB; }
};

static_assert(WindowPolicy<MinimalWindow>);

/// What every `WindowPolicy` must do. Call it from a `TEST_CASE`.
template <WindowPolicy W>
void window_conformance() {
    SUBCASE("there is always room for something, and never for everything") {
        auto window = W();
        CHECK(window.bytes() > 0);
        for (const auto speed : {0.0, 1.0, 1e6, 1e9, 1e15, std::numeric_limits<double>::infinity()})
            for (const auto base : {Duration::zero(), Duration{1}, Duration(std::chrono::milliseconds{1}),
                                    Duration(std::chrono::hours{1})}) {
                window.arrived(speed, base);
                CHECK(window.bytes() > 0);
                CHECK(window.bytes() <= std::uint64_t{1} << 40);
            }
        for (auto i = 0; i < 1'000; ++i) window.failed();
        CHECK(window.bytes() > 0);
    }
    SUBCASE("a faster path has no smaller one, and failures make it no larger") {
        auto slow = W(), fast = W();
        for (auto i = 0; i < 100; ++i) {
            slow.arrived(1e6, std::chrono::milliseconds{1});
            fast.arrived(1e10, std::chrono::milliseconds{1});
        }
        CHECK(fast.bytes() >= slow.bytes());
        const auto before = fast.bytes();
        fast.failed();
        CHECK(fast.bytes() <= before);
    }
}

} // namespace mooncake::testing
