#pragma once

#include <mooncake/store/placement/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mooncake {

/// Choose this when: in doubt. For each replica two candidates are drawn and the emptier one, by share of its capacity,
/// is taken: close to the balance of a full search, without the herd that runs to whoever is emptiest.
/// Replicas go to hosts that hold none yet as long as there are such hosts.
/// Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing".
class PowerOfTwoChoices {
  public:
    explicit PowerOfTwoChoices(std::uint64_t seed = 0x6d6f6f6e63616b65) noexcept : state_(seed) {}

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        chosen.clear();
        if (candidates.size() == 1) {
            if (request.replicas != 0 && candidates[0].free_bytes >= request.bytes) chosen.push_back(0);
            return;
        }
        while (chosen.size() < request.replicas) {
            eligible_.clear();
            auto on_new_hosts = std::size_t{0}; // these come first
            for (std::uint32_t i = 0; i < candidates.size(); ++i) {
                if (candidates[i].free_bytes < request.bytes) continue;
                if (std::find(chosen.begin(), chosen.end(), i) != chosen.end()) continue;
                const auto shares_host = [&](std::uint32_t other) {
                    return candidates[other].host == candidates[i].host;
                };
                eligible_.push_back(i);
                if (std::none_of(chosen.begin(), chosen.end(), shares_host))
                    std::swap(eligible_[on_new_hosts++], eligible_.back());
            }
            if (eligible_.empty()) return;
            const auto among = on_new_hosts != 0 ? on_new_hosts : eligible_.size();
            const auto first = eligible_[random_below(among)], second = eligible_[random_below(among)];
            chosen.push_back(emptier(candidates[first], candidates[second]) ? first : second);
        }
    }

  private:
    static bool emptier(const SegmentCandidate& a, const SegmentCandidate& b) noexcept {
        const auto share = [](const SegmentCandidate& c) {
            return c.capacity == 0 ? 0.0 : static_cast<double>(c.free_bytes) / static_cast<double>(c.capacity);
        };
        return share(a) >= share(b);
    }

    /// SplitMix64; the bias below 2^-32 does not matter here.
    std::size_t random_below(std::size_t bound) noexcept {
        auto mixed = state_ += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        return static_cast<std::size_t>(((mixed ^ mixed >> 31) >> 32) * bound >> 32);
    }

    std::uint64_t state_;
    std::vector<std::uint32_t> eligible_;
};

static_assert(PlacementPolicy<PowerOfTwoChoices>);

} // namespace mooncake
