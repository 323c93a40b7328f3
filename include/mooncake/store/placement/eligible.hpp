#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/store/placement/concept.hpp>
#include <mooncake/store/placement/shares.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// The rank of who is never chosen.
inline constexpr auto never_placed = std::numeric_limits<std::uint64_t>::max();

/// In which order a candidate comes, lowest first, before any replica lies anywhere: see `PlacementPolicy`.
[[nodiscard]] inline std::uint64_t placement_rank(const SegmentCandidate& candidate,
                                                  const PlacementRequest& request) noexcept {
    const auto listed = [&](std::span<const std::uint32_t> ids) {
        return std::find(ids.begin(), ids.end(), candidate.id) != ids.end();
    };
    if (candidate.free_bytes < request.bytes || candidate.health == SegmentHealth::draining) return never_placed;
    if (!request.excluded.empty() && listed(request.excluded)) return never_placed;
    const auto bit = [](bool is_last, int place) { return static_cast<std::uint64_t>(is_last) << place; };
    return bit(candidate.health == SegmentHealth::suspect, 62) |
           bit(!request.preferred.empty() && !listed(request.preferred), 61) | bit(candidate.tier != request.tier, 60);
}

/// What a replica at `other` adds to the rank of a candidate.
[[nodiscard]] constexpr std::uint64_t rank_of_sharing(Location candidate, Location other) noexcept {
    return (std::uint64_t{share_rack(candidate, other)} << 32) + std::uint64_t{share_host(candidate, other)};
}

/// Whether `a` has more of its capacity free; true if both have the same.
[[nodiscard]] inline bool emptier(const SegmentCandidate& a, const SegmentCandidate& b) noexcept {
    const auto share = [](const SegmentCandidate& c) {
        return c.capacity == 0 ? 0.0 : static_cast<double>(c.free_bytes) / static_cast<double>(c.capacity);
    };
    return share(a) >= share(b);
}

/// What is the same in every placement policy: who may be chosen at all, in which order, how replicas spread over racks and
/// hosts, and that nobody gets far more than its share when room can be made elsewhere. A policy says which of the equals.
/// Thread: one at a time. Complexity: see `PlacementPolicy`; a choice by draws is O(1) where most candidates fit.
class PlacementChooser {
  public:
    using Candidates = std::span<const SegmentCandidate>;
    /// Indices of candidates among which nothing of the above decides; never empty. May be reordered.
    using Equals = std::span<std::uint32_t>;

    explicit PlacementChooser(std::uint64_t seed) noexcept : random_(seed) {}

    PlacementShares shares;

    /// `pick(equals)` gives the position of the one to take. Those for which `exempt(candidate)` are not held to a share;
    /// neither are preferred ones. As long as `shortcut()` gives the index of one of the equals, they need not be looked for.
    template <class Pick, class Exempt, class Shortcut>
    void choose(Candidates candidates, const PlacementRequest& request, std::vector<std::uint32_t>& chosen,
                const Pick& pick, const Exempt& exempt, const Shortcut& shortcut) {
        chosen.clear();
        if (candidates.empty()) return;
        left_out_.clear();
        spare_ = unknown;
        auto ranked = false;
        while (chosen.size() < request.replicas) {
            auto index = ranked ? none : shortcut();
            auto position = std::size_t{0};
            if (index == none) {
                if (!std::exchange(ranked, true)) rank(candidates, request, chosen);
                if (equals_.empty()) collect();
                if (equals_.empty()) return;
                position = pick(Equals(equals_));
                index = equals_[position];
            }
            const auto& one = candidates[index];
            const auto left_out = request.evenly && !exempt(one) && !contains(request.preferred, one.id) &&
                                  shares.above(one, candidates, request.now) && spare(candidates, request);
            (left_out ? left_out_ : chosen).push_back(index);
            if (!ranked) continue;
            ranks_[index] = never_placed;
            if (left_out) {
                equals_[position] = equals_.back();
                equals_.pop_back();
            } else if (chosen.size() < request.replicas) {
                for (std::size_t i = 0; i < candidates.size(); ++i)
                    if (ranks_[i] != never_placed) ranks_[i] += rank_of_sharing(candidates[i].at, one.at);
                collect();
            }
        }
        for (const auto index : chosen) shares.add(candidates[index], request.bytes, candidates.size());
    }

    template <class Pick, class Exempt>
    void choose(Candidates candidates, const PlacementRequest& request, std::vector<std::uint32_t>& chosen,
                const Pick& pick, const Exempt& exempt) {
        choose(candidates, request, chosen, pick, exempt, [] { return none; });
    }

    /// The best of `draws` (1 or 2) that are drawn, `better(candidate, candidate)`.
    template <class Better>
    void choose_drawn(Candidates candidates, const PlacementRequest& request, std::vector<std::uint32_t>& chosen,
                      std::size_t draws, const Better& better) {
        choose(
            candidates, request, chosen, [&](Equals equals) { return draw(candidates, equals, draws, better); },
            [](const SegmentCandidate&) { return false; },
            [&] { return draw_unranked(candidates, request, chosen, draws, better); });
    }

    /// The position of one of `equals`: the best of `draws` (1 or 2).
    template <class Better>
    [[nodiscard]] std::size_t draw(Candidates candidates, Equals equals, std::size_t draws, const Better& better) {
        const auto first = below(equals.size());
        if (draws == 1) return first;
        const auto second = below(equals.size());
        return better(candidates[equals[first]], candidates[equals[second]]) ? first : second;
    }

    /// The same without looking at them all: draws until enough of those drawn could not rank better, so that each of the
    /// equals is as likely. `none` where that does not succeed soon, or segments are preferred or places avoided.
    template <class Better>
    [[nodiscard]] std::uint32_t draw_unranked(Candidates candidates, const PlacementRequest& request,
                                              const std::vector<std::uint32_t>& chosen, std::size_t draws,
                                              const Better& better) {
        if (!request.preferred.empty() || !request.avoid.empty()) return none;
        const auto ranks_best = [&](std::uint32_t index) {
            const auto& one = candidates[index];
            if (placement_rank(one, request) != 0) return false;
            for (const auto other : chosen)
                if (other == index || rank_of_sharing(one.at, candidates[other].at) != 0) return false;
            return !contains(left_out_, index);
        };
        auto drawn = none;
        for (auto tries = most_tries; tries != 0; --tries) {
            const auto index = static_cast<std::uint32_t>(below(candidates.size()));
            if (!ranks_best(index)) continue;
            if (draws == 1) return index;
            if (drawn != none) return better(candidates[drawn], candidates[index]) ? drawn : index;
            drawn = index;
        }
        return none;
    }

    static constexpr auto none = std::numeric_limits<std::uint32_t>::max();

  private:
    /// Whether there are enough others, with room or without, for one more to be left out.
    [[nodiscard]] bool spare(Candidates candidates, const PlacementRequest& request) {
        if (spare_ == unknown) {
            auto takes_writes = std::size_t{0};
            for (const auto& one : candidates)
                takes_writes += one.capacity >= request.bytes && one.health != SegmentHealth::draining &&
                                !contains(request.excluded, one.id);
            spare_ = takes_writes - std::min<std::size_t>(takes_writes, request.replicas);
        }
        return left_out_.size() < spare_;
    }

    /// Ranks all, and collects the equals that come first.
    void rank(Candidates candidates, const PlacementRequest& request, const std::vector<std::uint32_t>& chosen) {
        ranks_.resize(candidates.size());
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            const auto& one = candidates[i];
            auto rank = placement_rank(one, request);
            if (rank != never_placed) {
                for (const auto other : chosen) rank += rank_of_sharing(one.at, candidates[other].at);
                for (const auto other : request.avoid) rank += rank_of_sharing(one.at, other);
            }
            ranks_[i] = rank;
        }
        for (const auto index : chosen) ranks_[index] = never_placed;
        for (const auto index : left_out_) ranks_[index] = never_placed;
        collect();
    }

    void collect() {
        equals_.clear();
        auto least = never_placed - 1;
        for (std::uint32_t i = 0; i < ranks_.size(); ++i) {
            if (ranks_[i] > least) continue;
            if (ranks_[i] < least) equals_.clear();
            least = ranks_[i];
            equals_.push_back(i);
        }
    }

    template <class Numbers>
    static bool contains(const Numbers& numbers, std::uint32_t wanted) noexcept {
        return std::find(numbers.begin(), numbers.end(), wanted) != numbers.end();
    }

    /// The bias below 2^-32 does not matter here.
    std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>((random_() >> 32) * bound >> 32); }

    static constexpr int most_tries = 8;
    static constexpr auto unknown = std::numeric_limits<std::size_t>::max();

    SplitMix64 random_;
    std::vector<std::uint64_t> ranks_; // of each candidate
    std::vector<std::uint32_t> equals_, left_out_;
    std::size_t spare_ = unknown; // how many may be left out
};

} // namespace mooncake
