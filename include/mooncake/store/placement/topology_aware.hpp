#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: racks are told, and what leaves one is slow. The nearest are taken, by `path_cost`: the writer's host, then
/// its rack, then the others, and among the equally near the better of two by free share. Further replicas go to other
/// racks first, as with every policy. The writer's rack is not held to a share of the writes.
/// Source: HDFS's rack-aware placement, Shvachko et al., "The Hadoop Distributed File System", §III.
class TopologyAware {
  public:
    static constexpr std::string_view name = "topology";

    explicit TopologyAware(std::uint64_t seed = 0x6d6f6f6e63616b65) noexcept : chooser_(seed) {}

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        const auto pick = [&](PlacementChooser::Equals equals) {
            auto least = std::numeric_limits<std::uint32_t>::max();
            for (const auto index : equals) least = std::min(least, path_cost(candidates[index], request));
            const auto others = std::partition(equals.begin(), equals.end(), [&](std::uint32_t index) {
                return path_cost(candidates[index], request) == least;
            });
            return chooser_.draw(candidates, PlacementChooser::Equals(equals.begin(), others), 2, emptier);
        };
        const auto close = [&](const SegmentCandidate& one) {
            return share_host(one.at, request.near) || share_rack(one.at, request.near);
        };
        chooser_.choose(candidates, request, chosen, pick, close);
    }

  private:
    PlacementChooser chooser_;
};

static_assert(PlacementPolicy<TopologyAware>);

} // namespace mooncake
