#pragma once

#include <mooncake/core/clock.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// A way to a segment as a policy sees it, one of several over the same transport.
struct PathView {
    bool usable = true;          ///< it is up, as far as is known, and has not failed these very bytes
    unsigned preference = 0;     ///< 0 is nearest; see `PriorityMatrix`
    std::uint64_t in_flight = 0; ///< bytes
    std::uint64_t room = 0;      ///< bytes that may still leave; 0: it is full
    double bytes_per_second = 0; ///< 0: not measured yet
    TimePoint last_used{};       ///< when bytes left over it last
};

/// Bytes that want a path.
struct PathWish {
    std::uint64_t bytes = 0; ///< that leave now
    std::uint64_t left = 0;  ///< of the same transfer that have not left, these among them
};

/// Which path the next bytes of a transfer take.
///
/// | expression | effect | complexity |
/// |---|---|---|
/// | `P::name` | a short constant word | |
/// | `p.choose(paths, wish, now)` | the index of a usable path, or `paths.size()` where none is; one that is full means: these bytes wait for it | O(paths) |
///
/// Pure: no clock and no randomness of its own. Thread: one at a time.
template <class P>
concept PathPolicy = std::default_initializable<P> && std::movable<P> &&
                     requires(P& policy, std::span<const PathView> paths, const PathWish& wish, TimePoint now) {
                         { P::name } -> std::convertible_to<std::string_view>;
                         { policy.choose(paths, wish, now) } -> std::same_as<std::size_t>;
                     };

} // namespace mooncake
