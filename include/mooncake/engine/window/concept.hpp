#pragma once

#include <mooncake/core/clock.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>

namespace mooncake {

/// How many bytes may be on their way over a path.
///
/// | expression | effect |
/// |---|---|
/// | `W::name` | a short constant word |
/// | `w.arrived(bytes_per_second, base)` | a chunk arrived: what is now known of the path's speed, and of the least time that a chunk takes |
/// | `w.failed()` | one did not |
/// | `w.bytes()` | the most that may be in flight; above 0 |
///
/// Pure; all are O(1). Thread: one at a time.
template <class W>
concept WindowPolicy = std::default_initializable<W> && std::movable<W> &&
                       requires(W& window, const W& constant, double bytes_per_second, Duration base) {
                           { W::name } -> std::convertible_to<std::string_view>;
                           { window.arrived(bytes_per_second, base) } -> std::same_as<void>;
                           { window.failed() } -> std::same_as<void>;
                           { constant.bytes() } -> std::same_as<std::uint64_t>;
                       };

} // namespace mooncake
