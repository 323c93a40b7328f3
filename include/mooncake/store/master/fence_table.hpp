#pragma once

#include <mooncake/store/master/object.hpp>
#include <mooncake/store/messages.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Extents that are nobody's any more, while whoever was given them may still be writing: they stay allocated until the
/// owner of the memory has confirmed that no such write can arrive.
/// Thread: one at a time (the domain's lock). Complexity: O(log segments) each, and what is returned.
template <class Void = void> // so that only who runs a master pays for compiling it
class FenceTable {
  public:
    static constexpr std::size_t most_told = 4096; ///< in one heartbeat

    /// `bytes`: as they were allocated.
    void add(const Extent& extent, std::uint64_t bytes) {
        waiting_[extent.segment->info.segment].emplace(extent.epoch, Waiting{extent, bytes});
        held_ += {bytes, 1};
    }

    /// What the owner of `segment` is to fence.
    [[nodiscard]] std::vector<FencedExtent> told(std::uint32_t segment) const {
        auto fences = std::vector<FencedExtent>();
        const auto found = waiting_.find(segment);
        if (found == waiting_.end()) return fences;
        for (const auto& [epoch, waiting] : found->second) {
            if (fences.size() == most_told) break;
            fences.push_back({.offset = waiting.extent.segment->info.offset + waiting.extent.at.offset,
                              .bytes = waiting.bytes,
                              .epoch = epoch});
        }
        return fences;
    }

    /// The owner of `segment` has fenced these: `free(extent, bytes)` is called for each that waited.
    template <class Free>
    std::size_t confirm(std::uint32_t segment, const std::vector<std::uint64_t>& epochs, const Free& free) {
        const auto found = waiting_.find(segment);
        if (found == waiting_.end()) return 0;
        auto confirmed = std::size_t{0};
        for (const auto epoch : epochs) {
            const auto at = found->second.find(epoch);
            if (at == found->second.end()) continue;
            let_go(at->second, free);
            found->second.erase(at);
            ++confirmed;
        }
        if (found->second.empty()) waiting_.erase(found);
        return confirmed;
    }

    /// The memory of a segment that died is gone, and nobody writes to it any more.
    template <class Free>
    void drop_dead(const Free& free) {
        std::erase_if(waiting_, [&](auto& entry) {
            auto& [segment, extents] = entry;
            if (extents.begin()->second.extent.segment->alive.load(std::memory_order_relaxed)) return false;
            for (const auto& [epoch, waiting] : extents) let_go(waiting, free);
            return true;
        });
    }

    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [segment, extents] : waiting_)
            for (const auto& [epoch, waiting] : extents) visit(waiting.extent, waiting.bytes);
    }

    [[nodiscard]] HeldSpace held() const noexcept { return held_; }

  private:
    struct Waiting {
        Extent extent;
        std::uint64_t bytes;
    };

    template <class Free>
    void let_go(const Waiting& waiting, const Free& free) {
        held_ -= {waiting.bytes, 1};
        free(waiting.extent, waiting.bytes);
    }

    std::map<std::uint32_t, std::map<std::uint64_t, Waiting>> waiting_; // by segment and epoch; no inner one is empty
    HeldSpace held_;
};

} // namespace mooncake::store::detail
