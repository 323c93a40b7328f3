#pragma once

#include <mooncake/core/clock.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mooncake {

/// A place in an eviction domain. The domain hands out small numbers and reuses them, so that policies keep their
/// state in vectors.
using Slot = std::uint32_t;

/// What whoever puts an object may say of its future. A policy may believe it; none has to.
enum class ReuseHint : std::uint8_t {
    none,
    unlikely, ///< such as the end of a session
    likely,
};

/// What a policy may know of an object.
struct EvictionEntry {
    std::uint64_t key_hash = 0; ///< XXH3-64 of the key: what a ghost list remembers
    std::uint64_t parent = 0;   ///< the same of the object without which this one is useless; 0: none, or not told
    std::uint64_t bytes = 0;    ///< what evicting it gives back
    TimePoint now{};            ///< when it was written
    ReuseHint hint = ReuseHint::none;
};

/// Why an object is gone.
enum class Departure : std::uint8_t {
    evicted, ///< for want of space: it may well be put again
    removed, ///< somebody wanted that, or it was never finished, or its memory died
};

namespace store::detail {
/// For concepts: any predicate over slots.
struct AnySlotPredicate {
    bool operator()(Slot) const noexcept { return true; }
};
} // namespace store::detail

/// The order in which the objects of one eviction domain go. Time never runs backwards from one call to the next.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.insert(slot, entry)` | an object that was just written has `slot`. Requires: `slot` is not in `p` | none | one at a time | O(log n) |
/// | `p.touch(slot, now)` | that object was used. Requires: `slot` is in `p` | none | one at a time | O(log n) |
/// | `p.remove(slot, why)` | it is gone. Requires: `slot` is in `p` | none | one at a time | O(log n) |
/// | `p.victim(evictable)` | the first slot, in the order of the policy, for which `evictable(slot)`: what is leased or being written is no candidate. It stays until `remove`. A `ReconsideringPolicy` need not ask again about one that it has passed over | `nullopt`: there is none | one at a time | O(log n) and one call for each that is passed over |
/// | `p.size()` | how many slots are in `p` | none | with readers | O(1) |
/// | `P::name` | what `--eviction` and the metrics call it | none | any | – |
/// | `p.prefetch(slot)` | optional: asks for the memory that `touch(slot, now)`, soon to come, will look at | none | with readers | O(1) |
template <class P>
concept EvictionPolicy = std::default_initializable<P> && std::movable<P> &&
                         requires(P& policy, const P& reader, Slot slot, const EvictionEntry& entry, TimePoint now,
                                  Departure why, store::detail::AnySlotPredicate evictable) {
                             { P::name } -> std::convertible_to<std::string_view>;
                             { policy.insert(slot, entry) } -> std::same_as<void>;
                             { policy.touch(slot, now) } -> std::same_as<void>;
                             { policy.remove(slot, why) } -> std::same_as<void>;
                             { policy.victim(evictable) } -> std::same_as<std::optional<Slot>>;
                             { reader.size() } noexcept -> std::same_as<std::size_t>;
                         };

/// An order that passes over each slot once, and not again at every decision: many may be leased for long.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.reconsider(slot)` | `slot` may be evictable now, although `victim` was told that it is not. Requires: `slot` is in `p` | none | one at a time | O(log n) |
template <class P>
concept ReconsideringPolicy = EvictionPolicy<P> && requires(P& policy, Slot slot) {
    { policy.reconsider(slot) } -> std::same_as<void>;
};

/// An order with parts whose sizes depend on how much there is room for.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.capacity(bytes)` | the domain has so much space, until told otherwise; 0 before. Said before the first `victim` | none | one at a time | O(n) |
template <class P>
concept SizedPolicy = EvictionPolicy<P> && requires(P& policy, std::uint64_t bytes) {
    { policy.capacity(bytes) } -> std::same_as<void>;
};

/// An order in which who goes depends on who comes.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.expect(entry)` | the decisions that follow make room for that object; mostly its `insert` comes next | none | one at a time | O(log n) |
template <class P>
concept ForeseeingPolicy = EvictionPolicy<P> && requires(P& policy, const EvictionEntry& entry) {
    { policy.expect(entry) } -> std::same_as<void>;
};

} // namespace mooncake
