#pragma once

#include <mooncake/store/placement/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// Choose this when: in doubt. For each replica two candidates are drawn and the emptier one, by share of its capacity,
/// is taken: close to the balance of a full search, without the herd that runs to whoever is emptiest.
/// Replicas go to hosts that hold none yet as long as there are such hosts. Asked to choose `evenly`, it leaves out who got
/// more than twice the share of its capacity of what was placed of late: some 100 choices, more where there are many
/// segments.
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
        left_out_.clear();
        while (chosen.size() < request.replicas) {
            eligible_.clear();
            auto on_new_hosts = std::size_t{0}; // these come first
            auto capacity = 0.0;
            for (std::uint32_t i = 0; i < candidates.size(); ++i) {
                capacity += static_cast<double>(candidates[i].capacity);
                if (candidates[i].free_bytes < request.bytes) continue;
                if (contains(chosen, i) || contains(left_out_, i)) continue;
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
            const auto best = emptier(candidates[first], candidates[second]) ? first : second;
            const auto left_out = request.evenly && has_had_enough(candidates[best], capacity, candidates.size());
            (left_out ? left_out_ : chosen).push_back(best);
        }
        if (chosen.size() == request.replicas)
            for (const auto index : chosen) remember(candidates[index], request.bytes, candidates.size());
    }

  private:
    struct Recent {
        std::uint32_t id;
        double bytes;
    };

    static bool contains(const std::vector<std::uint32_t>& indices, std::uint32_t index) noexcept {
        return std::find(indices.begin(), indices.end(), index) != indices.end();
    }

    /// So many choices are remembered, and up to twice as many: enough for chance not to look like more than a share.
    static std::size_t remembered(std::size_t segments) noexcept { return 64 + 16 * segments; }

    [[nodiscard]] bool has_had_enough(const SegmentCandidate& candidate, double capacity,
                                      std::size_t segments) const noexcept {
        if (choices_ < remembered(segments)) return false;
        const auto at = place_of(candidate.id);
        return at < recent_.size() && recent_[at].id == candidate.id &&
               recent_[at].bytes * capacity > 2 * static_cast<double>(candidate.capacity) * recent_bytes_;
    }

    void remember(const SegmentCandidate& candidate, std::uint64_t bytes, std::size_t segments) {
        const auto at = place_of(candidate.id);
        if (at == recent_.size() || recent_[at].id != candidate.id)
            recent_.insert(recent_.begin() + static_cast<std::ptrdiff_t>(at), {candidate.id, 0});
        recent_[at].bytes += static_cast<double>(bytes);
        recent_bytes_ += static_cast<double>(bytes);
        if (++choices_ < 2 * remembered(segments)) return;
        choices_ /= 2;
        recent_bytes_ = 0;
        for (auto& one : recent_) recent_bytes_ += one.bytes /= 2;
        std::erase_if(recent_, [](const Recent& one) { return one.bytes < 1; });
    }

    /// Where the segment is in what is remembered, or would be.
    [[nodiscard]] std::size_t place_of(std::uint32_t id) const noexcept {
        const auto found = std::lower_bound(recent_.begin(), recent_.end(), id,
                                            [](const Recent& one, std::uint32_t wanted) { return one.id < wanted; });
        return static_cast<std::size_t>(found - recent_.begin());
    }

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
    std::vector<std::uint32_t> eligible_, left_out_;
    std::vector<Recent> recent_; // by segment: bytes, half of what is long ago
    double recent_bytes_ = 0;    // their sum
    std::size_t choices_ = 0;    // that are in it
};

static_assert(PlacementPolicy<PowerOfTwoChoices>);

} // namespace mooncake
