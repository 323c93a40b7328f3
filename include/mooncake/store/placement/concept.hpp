#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mooncake {

/// A mounted segment, as far as placement may know it.
struct SegmentCandidate {
    std::uint32_t id = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t capacity = 0;
    std::string host{}; ///< the failure domain: what goes away together
};

struct PlacementRequest {
    std::uint64_t bytes = 0;    ///< of one replica
    std::uint32_t replicas = 1; ///< how many segments to choose
    /// Room can be made elsewhere: those that had far more than their share of the writes of late may be left out, so that
    /// a new, empty segment in a full cluster does not get every write. Before giving up, the choice is asked without it.
    bool evenly = false;
};

/// Where the replicas of a new object go.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.choose(candidates, request, chosen)` | `chosen` holds the indices of up to `request.replicas` distinct candidates with at least `request.bytes` free; fewer only when there are no more such candidates, or those left out as `request.evenly` allows | none | one at a time | O(candidates) |
template <class P>
concept PlacementPolicy = std::default_initializable<P> && std::movable<P> &&
                          requires(P& policy, std::span<const SegmentCandidate> candidates,
                                   const PlacementRequest& request, std::vector<std::uint32_t>& chosen) {
                              { policy.choose(candidates, request, chosen) } -> std::same_as<void>;
                          };

} // namespace mooncake
