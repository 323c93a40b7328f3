#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace mooncake {

/// An extent that is allocated.
struct Allocation {
    std::uint64_t offset = 0; ///< in the space
    std::uint64_t handle = 0; ///< what its allocator knows it by
};

/// Hands out byte ranges of a space `[0, capacity)` that it never looks at: the memory may be another process's.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `A(capacity)` | all of `capacity` bytes, rounded down to the granularity, are free | none | – | any |
/// | `a.allocate(bytes)` | an extent that overlaps no live one; its size is `bytes` rounded up to the granularity, and at least one granule | `nullopt`: nothing fits | one at a time | O(1) |
/// | `a.free(allocation, bytes)` | that extent is free, merged with free neighbours. Requires: what `allocate(bytes)` gave, once | none | one at a time | O(1) |
/// | `a.free_bytes()` | the sum of what is free | none | with readers | O(1) |
/// | `a.largest_free()` | the largest `bytes` that `allocate` would give | none | with readers | O(1) of the number of live extents, or close to it |
/// | `A::granularity` | extents begin and end at multiples of it; a power of two | none | any | – |
///
/// A capacity of exactly n × b holds exactly n extents of b bytes, for any b that is a multiple of the granularity.
template <class A>
concept SpaceAllocator = std::movable<A> && std::constructible_from<A, std::uint64_t> &&
                         requires(A& allocator, const A& reader, std::uint64_t bytes, const Allocation& allocation) {
                             { A::granularity } -> std::convertible_to<std::uint64_t>;
                             { allocator.allocate(bytes) } -> std::same_as<std::optional<Allocation>>;
                             { allocator.free(allocation, bytes) } -> std::same_as<void>;
                             { reader.free_bytes() } noexcept -> std::same_as<std::uint64_t>;
                             { reader.largest_free() } noexcept -> std::same_as<std::uint64_t>;
                         };

} // namespace mooncake
