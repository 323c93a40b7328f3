#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: in doubt. For each replica two candidates are drawn and the emptier one, by share of its capacity,
/// is taken: close to the balance of a full search, without the herd that runs to whoever is emptiest.
/// Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing".
class PowerOfTwoChoices {
  public:
    static constexpr std::string_view name = "power-of-two";

    explicit PowerOfTwoChoices(std::uint64_t seed = 0x6d6f6f6e63616b65) noexcept : chooser_(seed) {}

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        chooser_.choose_drawn(candidates, request, chosen, 2, emptier);
    }

  private:
    PlacementChooser chooser_;
};

static_assert(PlacementPolicy<PowerOfTwoChoices>);

} // namespace mooncake
