#pragma once

#include <mooncake/store/placement/concept.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mooncake {

/// What a segment that was mounted lately counts for, beside one that was always there: a tenth at first, and in proportion
/// to its age until it counts in full. A node that has just come may go again at once, and whatever is new is read most: what is
/// placed in one node only makes that one slow.
/// Source: Envoy's slow start, `weight × max(0.1, age / window)` with an aggression of 1.
struct WarmUp {
    Duration window = std::chrono::seconds{30}; ///< 0: none
    double least = .1;                          ///< in (0, 1]

    [[nodiscard]] double weight(const SegmentCandidate& candidate, TimePoint now) const noexcept {
        const auto age = now - candidate.since;
        if (candidate.since == TimePoint{} || age >= window) return 1;
        const auto grown = std::chrono::duration<double>(age) / std::chrono::duration<double>(window);
        return std::clamp(grown, least, 1.0);
    }
};

/// Who got how much of what was placed of late: of some 100 choices, more where there are many segments.
/// Thread: one at a time.
class PlacementShares {
  public:
    WarmUp warm_up;

    /// Whether the segment got more than twice its share, by capacity and weight, of what was placed of late. Never before
    /// enough was placed for chance not to look like it. Complexity: O(log candidates), amortized.
    [[nodiscard]] bool above(const SegmentCandidate& candidate, std::span<const SegmentCandidate> candidates,
                             TimePoint now) {
        if (choices_ < remembered(candidates.size())) return false;
        auto hint = std::size_t{0};
        const auto recent = recent_bytes(candidate.id, hint);
        if (recent == 0) return false;
        weigh(candidates, now);
        const auto weighted = static_cast<double>(candidate.capacity) * warm_up.weight(candidate, now);
        return recent * weighted_capacity_ > 2 * weighted * all_recent_;
    }

    /// That so much was placed there, as one of `segments`.
    void add(const SegmentCandidate& candidate, std::uint64_t bytes, std::size_t segments) {
        const auto at = place_of(candidate.id);
        if (at == recent_.size() || recent_[at].id != candidate.id)
            recent_.insert(recent_.begin() + static_cast<std::ptrdiff_t>(at), {candidate.id, 0});
        recent_[at].bytes += static_cast<double>(bytes);
        all_recent_ += static_cast<double>(bytes);
        if (++choices_ < 2 * remembered(segments)) return;
        choices_ /= 2;
        all_recent_ = 0;
        for (auto& one : recent_) all_recent_ += one.bytes /= 2;
        std::erase_if(recent_, [](const Recent& one) { return one.bytes < 1; });
    }

    /// Of late, in that segment. `hint` is kept from one call to the next, 0 at first: who asks in the order of ids is
    /// answered in O(1).
    [[nodiscard]] double recent_bytes(std::uint32_t id, std::size_t& hint) const noexcept {
        if (hint >= recent_.size() || recent_[hint].id != id) hint = place_of(id);
        return hint < recent_.size() && recent_[hint].id == id ? recent_[hint++].bytes : 0;
    }

  private:
    struct Recent {
        std::uint32_t id;
        double bytes;
    };

    /// So many choices are remembered, and up to twice as many: enough for chance not to look like more than a share.
    static std::size_t remembered(std::size_t segments) noexcept { return 64 + 16 * segments; }

    /// Adds the segments up again, once in a while: it hardly changes.
    void weigh(std::span<const SegmentCandidate> candidates, TimePoint now) {
        if (weighed_ == candidates.size() && ++asked_ * 4 < candidates.size()) return;
        weighed_ = candidates.size();
        asked_ = 0;
        weighted_capacity_ = 0;
        for (const auto& one : candidates)
            weighted_capacity_ += static_cast<double>(one.capacity) * warm_up.weight(one, now);
    }

    /// Where the segment is in what is remembered, or would be.
    [[nodiscard]] std::size_t place_of(std::uint32_t id) const noexcept {
        const auto found = std::lower_bound(recent_.begin(), recent_.end(), id,
                                            [](const Recent& one, std::uint32_t wanted) { return one.id < wanted; });
        return static_cast<std::size_t>(found - recent_.begin());
    }

    std::vector<Recent> recent_;   // by segment: bytes, half of what is long ago
    double all_recent_ = 0;        // their sum
    std::size_t choices_ = 0;      // that are in it
    double weighted_capacity_ = 0; // of `weighed_` segments
    std::size_t weighed_ = 0, asked_ = 0;
};

} // namespace mooncake
