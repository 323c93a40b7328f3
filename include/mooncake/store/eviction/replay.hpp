#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <span>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake {

namespace store::detail {

/// A hash for the number of a block. Never 0, and another one for every other number.
[[nodiscard]] constexpr std::uint64_t block_hash(std::uint64_t id) noexcept {
    auto mixed = id + 0x9e3779b97f4a7c15; // splitmix64: what is mixed is turned back into what it was by its inverse
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    return mixed == 0 ? ~std::uint64_t{0} : mixed;
}

} // namespace store::detail

/// What a policy would do, without a store: a cache of blocks of one size for requests that use chains of them.
///
/// Of each request the leading blocks that are there are hits, counted before any update; then every block is used, head to
/// tail: it is touched, or put, for which one is evicted when there is no room. Each block's parent is the one before it.
template <EvictionPolicy Policy>
class EvictionReplay {
  public:
    /// Throws `std::invalid_argument` when there is room for none. `blocks`: how many there is room for.
    explicit EvictionReplay(std::size_t blocks, Policy policy = {}) : policy_(std::move(policy)), ids_(blocks) {
        if (blocks == 0 || blocks >= std::numeric_limits<Slot>::max())
            throw std::invalid_argument("EvictionReplay: a cache has at least one block, and fewer than 2^32 - 1");
        slots_.reserve(2 * blocks);
        if constexpr (SizedPolicy<Policy>) policy_.capacity(blocks);
    }

    /// One request that uses the blocks `ids`, at `now`. Gives how many of the first are hits.
    std::size_t request(std::span<const std::uint64_t> ids, TimePoint now = {}) {
        const auto miss = std::find_if_not(ids.begin(), ids.end(), [&](auto id) { return slots_.contains(id); });
        const auto hits = static_cast<std::size_t>(miss - ids.begin());
        auto parent = std::uint64_t{0};
        for (const auto id : ids) {
            const auto hash = store::detail::block_hash(id);
            const auto known = slots_.find(id);
            if (known != slots_.end()) policy_.touch(known->second, now);
            else put(id, {.key_hash = hash, .parent = parent, .bytes = 1, .now = now});
            parent = hash;
        }
        hits_ += hits;
        blocks_ += ids.size();
        return hits;
    }

    /// Hits by blocks used, so far.
    [[nodiscard]] double hit_ratio() const noexcept {
        return blocks_ == 0 ? 0 : static_cast<double>(hits_) / static_cast<double>(blocks_);
    }
    [[nodiscard]] const Policy& policy() const noexcept { return policy_; }

  private:
    void put(std::uint64_t id, const EvictionEntry& entry) {
        auto slot = static_cast<Slot>(policy_.size());
        if (slot == ids_.size()) {
            if constexpr (ForeseeingPolicy<Policy>) policy_.expect(entry);
            slot = policy_.victim([](Slot) { return true; }).value();
            policy_.remove(slot, Departure::evicted);
            slots_.erase(ids_[slot]);
        }
        policy_.insert(slot, entry);
        slots_.emplace(id, slot);
        ids_[slot] = id;
    }

    Policy policy_;
    std::unordered_map<std::uint64_t, Slot> slots_; // by id
    std::vector<std::uint64_t> ids_;                // by slot
    std::uint64_t hits_ = 0, blocks_ = 0;
};

/// The hit ratio that nobody beats, counted as `EvictionReplay` does, by who knows the future: out of the cache goes what is
/// used again last of all, or it never comes in (Belady's rule with bypass). `requests`: a range of ranges of ids.
/// Complexity: O(n log n) for n blocks used.
template <class Requests>
[[nodiscard]] double optimal_hit_ratio(const Requests& requests, std::size_t blocks) {
    constexpr auto never = std::numeric_limits<std::uint64_t>::max();
    auto next_use = std::vector<std::uint64_t>(); // of each use, when its block is used again
    auto last_use = std::unordered_map<std::uint64_t, std::uint64_t>();
    for (const auto& request : requests)
        for (const auto id : request) {
            const auto [last, first] = last_use.try_emplace(id, next_use.size());
            if (!first) next_use[std::exchange(last->second, next_use.size())] = next_use.size();
            next_use.push_back(never);
        }
    auto cached = std::set<std::pair<std::uint64_t, std::uint64_t>>(); // when it is used again, and which block it is
    auto due = std::unordered_map<std::uint64_t, std::uint64_t>();     // the same by block
    auto hits = std::uint64_t{0}, at = std::uint64_t{0};
    for (const auto& request : requests) {
        const auto miss =
            std::find_if_not(std::begin(request), std::end(request), [&](auto id) { return due.contains(id); });
        hits += static_cast<std::uint64_t>(miss - std::begin(request));
        for (const auto id : request) {
            const auto next = next_use[at++];
            if (const auto known = due.find(id); known != due.end()) {
                cached.erase({known->second, id});
                due.erase(known);
            }
            if (next == never) continue;
            cached.emplace(next, id);
            due.emplace(id, next);
            if (cached.size() <= blocks) continue;
            due.erase(std::prev(cached.end())->second);
            cached.erase(std::prev(cached.end()));
        }
    }
    return at == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(at);
}

} // namespace mooncake
