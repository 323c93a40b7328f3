#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: whoever writes an object mostly reads it, too. The writer's host is taken if it has room, and is not held
/// to a share of the writes; else, and for further replicas, it is the power of two choices.
/// Source: HDFS's default block placement ("the first replica on the local machine"), Shvachko et al., "The Hadoop Distributed
/// File System", §III.
class LocalFirst {
  public:
    static constexpr std::string_view name = "local-first";

    explicit LocalFirst(std::uint64_t seed = 0x6d6f6f6e63616b65) noexcept : chooser_(seed) {}

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        if (request.near.host == 0) return chooser_.choose_drawn(candidates, request, chosen, 2, emptier);
        const auto local = [&](const SegmentCandidate& one) { return share_host(one.at, request.near); };
        const auto pick = [&](PlacementChooser::Equals equals) {
            const auto others = std::partition(equals.begin(), equals.end(),
                                               [&](std::uint32_t index) { return local(candidates[index]); });
            const auto among = others == equals.begin() ? equals : PlacementChooser::Equals(equals.begin(), others);
            return chooser_.draw(candidates, among, 2, emptier);
        };
        chooser_.choose(candidates, request, chosen, pick, local);
    }

  private:
    PlacementChooser chooser_;
};

static_assert(PlacementPolicy<LocalFirst>);

} // namespace mooncake
