#pragma once

#include <mooncake/core/clock.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Failure domains, smallest first: what goes away together. Numbers that whoever keeps the segments gives; 0: not told, and
/// shared with nobody.
struct Location {
    std::uint32_t host = 0;
    std::uint32_t rack = 0;

    friend bool operator==(const Location&, const Location&) = default;
};

[[nodiscard]] constexpr bool share_host(Location a, Location b) noexcept { return a.host != 0 && a.host == b.host; }
[[nodiscard]] constexpr bool share_rack(Location a, Location b) noexcept { return a.rack != 0 && a.rack == b.rack; }

enum class SegmentHealth : std::uint8_t {
    healthy,
    suspect,  ///< its owner is late with its heartbeat: gets writes only where nothing else fits
    draining, ///< is about to go: gets none
};

/// A mounted segment, as far as placement may know it.
struct SegmentCandidate {
    std::uint32_t id = 0;
    Location at{};
    std::uint64_t free_bytes = 0;
    std::uint64_t capacity = 0;
    TimePoint since{};      ///< when it was mounted; `TimePoint{}`: it was always there
    std::uint16_t cost = 0; ///< what a byte to it costs more than its way does, in such steps: see `path_cost`
    std::uint8_t tier = 0;  ///< 0: memory; slower ones have larger numbers
    SegmentHealth health = SegmentHealth::healthy;
};

/// Lifetime: what the spans name outlives the choice.
struct PlacementRequest {
    std::uint64_t bytes = 0;    ///< of one replica
    std::uint32_t replicas = 1; ///< how many segments to choose
    /// Room can be made elsewhere: those that had far more than their share of the writes of late may be left out, so that
    /// a new, empty segment in a full cluster does not get every write. Before giving up, the choice is asked without it.
    bool evenly = false;
    std::uint8_t tier = 0;                      ///< for which the object is; another one where nothing there fits
    Location near{};                            ///< of the writer, for those models that look at it
    std::span<const std::uint32_t> preferred{}; ///< ids of segments that come first, if they have room
    std::span<const std::uint32_t> excluded{};  ///< ids of segments that are never chosen
    std::span<const Location> avoid{};          ///< each counts as if a replica lay there already
    TimePoint now{};
};

/// Steps from the writer to a segment: 0 in the same host, or when it was not told who writes; 1 in the same rack; 2 farther
/// away; and what the segment itself costs more.
[[nodiscard]] constexpr std::uint32_t path_cost(const SegmentCandidate& candidate, const PlacementRequest& request) {
    const auto told = request.near.host != 0 || request.near.rack != 0;
    const auto away = !told || share_host(candidate.at, request.near) ? 0U
                      : share_rack(candidate.at, request.near)        ? 1U
                                                                      : 2U;
    return away + candidate.cost;
}

/// Where the replicas of a new object go. Of those that fit, whatever the policy prefers, first go the healthy ones, of
/// these the preferred ones, of these those of the tier that is asked for, of these those with the fewest replicas of the
/// object in their rack, and of these those with the fewest in their host. `PlacementChooser` does that; a policy is what
/// is chosen among equals.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.choose(candidates, request, chosen)` | `chosen` holds the indices of up to `request.replicas` distinct candidates that have `request.bytes` free, are neither draining nor excluded, and come in the order above; fewer only when there are no more such candidates, or those left out as `request.evenly` allows | none | one at a time | O(candidates × (replicas + listed)), where listed are `preferred`, `excluded` and `avoid`; no allocation once it has seen as many |
/// | `P::name` | what `--placement` calls it | none | any | – |
template <class P>
concept PlacementPolicy = std::default_initializable<P> && std::movable<P> &&
                          requires(P& policy, std::span<const SegmentCandidate> candidates,
                                   const PlacementRequest& request, std::vector<std::uint32_t>& chosen) {
                              { P::name } -> std::convertible_to<std::string_view>;
                              { policy.choose(candidates, request, chosen) } -> std::same_as<void>;
                          };

} // namespace mooncake
