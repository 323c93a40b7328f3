#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace mooncake::store::detail {

/// Slots in numbered buckets, each a list, and an order of the buckets that may change as a whole. The front of a bucket is
/// where slots come in. Complexity: O(1), `first_occupied` O(buckets / 64), `reorder` O(buckets log buckets).
class SlotBuckets {
  public:
    static constexpr Slot none = std::numeric_limits<Slot>::max();
    static constexpr std::uint16_t nowhere = std::numeric_limits<std::uint16_t>::max();

    /// `buckets`: how many, fewer than 65,535.
    explicit SlotBuckets(std::size_t buckets)
        : ends_(buckets), order_(buckets), rank_(buckets), occupied_((buckets + 63) / 64) {
        std::iota(order_.begin(), order_.end(), std::uint16_t{0});
        std::iota(rank_.begin(), rank_.end(), std::uint16_t{0});
    }

    [[nodiscard]] std::size_t count() const noexcept { return ends_.size(); }
    /// Requires: `slot` was made known.
    [[nodiscard]] std::uint16_t bucket_of(Slot slot) const noexcept { return links_[slot].bucket; }
    /// `none` when it is empty.
    [[nodiscard]] Slot oldest(std::size_t bucket) const noexcept { return ends_[bucket].back; }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { __builtin_prefetch(&links_[slot], 1); }

    /// `slot` is in no bucket yet.
    void make_known(Slot slot) {
        if (slot >= links_.size()) links_.resize(slot + std::size_t{1});
        links_[slot] = {};
    }
    void push_front(std::size_t bucket, Slot slot) noexcept { put(bucket, slot, none, ends_[bucket].front); }
    void push_back(std::size_t bucket, Slot slot) noexcept { put(bucket, slot, ends_[bucket].back, none); }
    /// Does nothing to one that is in no bucket.
    void remove(Slot slot) noexcept {
        auto& link = links_[slot];
        if (link.bucket == nowhere) return;
        auto& ends = ends_[link.bucket];
        (link.newer == none ? ends.front : links_[link.newer].older) = link.older;
        (link.older == none ? ends.back : links_[link.older].newer) = link.newer;
        if (ends.front == none) occupied_[rank_[link.bucket] / 64] &= ~bit(rank_[link.bucket]);
        link.bucket = nowhere;
    }

    /// The first bucket, in order, that is not empty; `nowhere`: all are.
    [[nodiscard]] std::uint16_t first_occupied() const noexcept {
        for (std::size_t word = 0; word < occupied_.size(); ++word)
            if (occupied_[word] != 0)
                return order_[word * 64 + static_cast<std::size_t>(std::countr_zero(occupied_[word]))];
        return nowhere;
    }

    /// The bucket of the least worth is the first from now on.
    void reorder(std::span<const float> worth) {
        std::sort(order_.begin(), order_.end(), [&](auto a, auto b) { return worth[a] < worth[b]; });
        std::fill(occupied_.begin(), occupied_.end(), 0);
        for (std::uint16_t rank = 0; rank < order_.size(); ++rank) {
            rank_[order_[rank]] = rank;
            if (ends_[order_[rank]].front != none) occupied_[rank / 64] |= bit(rank);
        }
    }

  private:
    struct Link {
        Slot newer = none, older = none;
        std::uint16_t bucket = nowhere;
    };
    struct Ends {
        Slot front = none, back = none;
    };

    static std::uint64_t bit(std::uint16_t rank) noexcept { return std::uint64_t{1} << rank % 64; }

    void put(std::size_t bucket, Slot slot, Slot newer, Slot older) noexcept {
        links_[slot] = {.newer = newer, .older = older, .bucket = static_cast<std::uint16_t>(bucket)};
        auto& ends = ends_[bucket];
        (newer == none ? ends.front : links_[newer].older) = slot;
        (older == none ? ends.back : links_[older].newer) = slot;
        occupied_[rank_[bucket] / 64] |= bit(rank_[bucket]);
    }

    std::vector<Link> links_;             // by slot
    std::vector<Ends> ends_;              // by bucket
    std::vector<std::uint16_t> order_;    // buckets, by rank
    std::vector<std::uint16_t> rank_;     // by bucket
    std::vector<std::uint64_t> occupied_; // a bit for each rank
};

} // namespace mooncake::store::detail
