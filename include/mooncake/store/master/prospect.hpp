#pragma once

#include <mooncake/store/master/object.hpp>

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mooncake::store::detail {

/// What evicting could give, as it was counted: by segment what may go, and, where that was asked for, what stays.
/// Sizes are those of extents as they were allocated, in whole granules.
/// Thread: one at a time (the domain's lock).
template <class Void = void> // so that only who runs a master pays for compiling it
class Prospect {
  public:
    void clear() noexcept { segments_.clear(); }

    void may_go(const Extent& extent, std::uint64_t bytes) {
        auto& part = segments_[extent.segment];
        part.evictable += bytes;
        if (bytes > part.largest) part.largest = bytes, part.as_large = 0;
        part.as_large += bytes == part.largest ? 1 : 0;
    }
    /// It may have been counted, and is gone.
    void went(const Extent& extent, std::uint64_t bytes) noexcept {
        const auto found = segments_.find(extent.segment);
        if (found == segments_.end()) return;
        auto& part = found->second;
        part.evictable -= std::min(part.evictable, bytes);
        // There may be others that are as large, of those that were not counted: whoever needs to know looks closer.
        if (bytes == part.largest && --part.as_large == 0) part.largest = 0;
    }
    void stays(const Extent& extent, std::uint64_t bytes) {
        segments_[extent.segment].obstacles.push_back({extent.at.offset, extent.at.offset + bytes});
    }

    /// Whether `segment` would have `bytes` free, in however many pieces, if all that may go went.
    [[nodiscard]] bool has_bytes(const Segment* segment, std::uint64_t free, std::uint64_t bytes) const noexcept {
        const auto found = segments_.find(segment);
        return bytes <= free + (found == segments_.end() ? 0 : found->second.evictable);
    }
    /// Whether something may go whose place is as large.
    [[nodiscard]] bool has_place(const Segment* segment, std::uint64_t bytes) const noexcept {
        const auto found = segments_.find(segment);
        return found != segments_.end() && bytes <= found->second.largest;
    }
    /// Whether `bytes` would lie between two of those that stay. Requires: all that stay were given.
    [[nodiscard]] bool has_stretch(const Segment* segment, std::uint64_t capacity, std::uint64_t bytes) {
        auto& obstacles = segments_[segment].obstacles;
        std::sort(obstacles.begin(), obstacles.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
        auto free_from = std::uint64_t{0};
        for (const auto& obstacle : obstacles) {
            if (obstacle.begin >= free_from + bytes) return true;
            free_from = obstacle.end;
        }
        return capacity >= free_from + bytes;
    }

  private:
    struct Stretch {
        std::uint64_t begin, end;
    };
    struct Part {
        std::uint64_t evictable = 0;
        std::uint64_t largest = 0, as_large = 0; ///< of the evictable ones, and how many are
        std::vector<Stretch> obstacles;
    };
    std::unordered_map<const Segment*, Part> segments_;
};

} // namespace mooncake::store::detail
