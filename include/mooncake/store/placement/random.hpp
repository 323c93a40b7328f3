#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: all segments are alike and short-lived, or others are to be compared with chance. Each of the equals is as
/// likely as another, whatever its size: small segments fill first.
/// Source: balls into bins, as in Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", §1.
class RandomPlacement {
  public:
    static constexpr std::string_view name = "random";

    explicit RandomPlacement(std::uint64_t seed = 0x6d6f6f6e63616b65) noexcept : chooser_(seed) {}

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        chooser_.choose_drawn(candidates, request, chosen, 1, emptier);
    }

  private:
    PlacementChooser chooser_;
};

static_assert(PlacementPolicy<RandomPlacement>);

} // namespace mooncake
