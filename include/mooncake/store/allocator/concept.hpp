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

/// What a space looks like: all but `use` and `fragmentation` in bytes or extents.
struct SpaceStatistics {
    std::uint64_t capacity = 0;     ///< in whole granules
    std::uint64_t free_bytes = 0;   ///< in however many pieces
    std::uint64_t largest_free = 0; ///< in one piece
    std::uint64_t live_extents = 0;
    std::uint64_t free_extents = 0;   ///< pieces of `free_bytes`; neighbours are one
    std::uint64_t metadata_bytes = 0; ///< of memory, none of it in the space

    /// The share of the capacity that is allocated, 0 to 1; of no capacity 1.
    [[nodiscard]] double use() const noexcept {
        return capacity == 0 ? 1 : static_cast<double>(capacity - free_bytes) / static_cast<double>(capacity);
    }

    /// The share of what is free that the largest request can not have, 0 to 1: 0 when it is one piece, or nothing.
    [[nodiscard]] double fragmentation() const noexcept {
        return free_bytes == 0 ? 0 : 1 - static_cast<double>(largest_free) / static_cast<double>(free_bytes);
    }
};

/// Hands out byte ranges of a space `[0, capacity)` that it never looks at: the memory may be another process's.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `A(capacity)` | all of `capacity` bytes, rounded down to the granularity, are free | none | – | any |
/// | `a.allocate(bytes)` | an extent that overlaps no live one; its size is `bytes` rounded up to the granularity, and at least one granule | `nullopt`: nothing fits | one at a time | O(1) |
/// | `a.free(allocation, bytes)` | that extent is free, merged with free neighbours. Requires: what `allocate(bytes)` gave, once | none | one at a time | O(1) |
/// | `a.free_bytes()` | the sum of what is free | none | with readers | O(1) |
/// | `a.largest_free()` | the largest `bytes` that `allocate` gives, which it does then, whatever the holes; 0 when nothing is free | none | with readers | O(1) of the number of extents, or close to it |
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

/// A space that tells more of itself.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `a.statistics()` | what it looks like now | none | with readers | as `a.largest_free()` |
template <class A>
concept MeasuredSpace = SpaceAllocator<A> && requires(const A& reader) {
    { reader.statistics() } noexcept -> std::same_as<SpaceStatistics>;
};

} // namespace mooncake
