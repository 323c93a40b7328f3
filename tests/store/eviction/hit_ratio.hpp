#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mooncake::testing {

/// The prefix hit ratio, in blocks, of a cache of `capacity` blocks: hits counted before any update, then every block
/// touched head to tail, absent ones inserted, one evicted when full.
template <EvictionPolicy P>
double prefix_hit_ratio(const std::vector<std::vector<std::uint32_t>>& requests, std::size_t capacity) {
    auto policy = P();
    auto slots = std::unordered_map<std::uint32_t, Slot>();
    auto blocks = std::vector<std::uint32_t>(capacity);
    std::size_t hits = 0, total = 0;
    for (const auto& request : requests) {
        const auto miss = std::find_if_not(request.begin(), request.end(), [&](auto id) { return slots.contains(id); });
        hits += static_cast<std::size_t>(miss - request.begin());
        total += request.size();
        for (const auto id : request) {
            if (const auto known = slots.find(id); known != slots.end()) {
                policy.touch(known->second, {});
                continue;
            }
            auto slot = static_cast<Slot>(policy.size());
            if (slot == capacity) {
                slot = policy.victim([](Slot) { return true; }).value();
                policy.remove(slot, Departure::evicted);
                slots.erase(blocks[slot]);
            }
            policy.insert(slot, {.key_hash = id, .bytes = 4096});
            slots.emplace(id, slot);
            blocks[slot] = id;
        }
    }
    return static_cast<double>(hits) / static_cast<double>(total);
}

} // namespace mooncake::testing
