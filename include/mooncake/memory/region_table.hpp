#pragma once

#include <mooncake/memory/access.hpp>
#include <mooncake/memory/arena.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

/// Memory that was registered: a window of the segment's offset space.
struct Region {
    std::uint64_t offset = 0;     ///< where it begins in the segment
    MutableBytes bytes;           ///< where it lies in this process
    Rights rights = Rights::none; ///< what peers with the key may do
    AccessKeys keys;
    std::string location;         ///< such as `cpu:0`
    std::shared_ptr<Arena> arena; ///< keeps arena memory alive; none for memory of somebody else

    /// What a peer that shows `key` may do.
    [[nodiscard]] Rights rights_granted(std::uint64_t key) const noexcept {
        return static_cast<Rights>(static_cast<unsigned>(keys.rights_of(key)) & static_cast<unsigned>(rights));
    }
};

/// Holds a region while an access to its bytes is in flight.
using RegionPin = std::shared_ptr<const Region>;

/// The regions of one segment: what every transport checks accesses of peers against.
///
/// Offsets are handed out once and never again, so that a stale descriptor of a region that is gone meets nothing.
/// Thread: any. Complexity of `resolve`: O(log regions), one uncontended lock.
class RegionTable {
  public:
    /// `generation`: this incarnation of the segment; peers must name it.
    explicit RegionTable(std::uint64_t generation) : generation_(generation), regions_(std::make_shared<Regions>()) {}

    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    /// Appends `region` behind all others and gives its offset.
    /// Errors: `invalid_argument` (empty), `out_of_range` (the offset space is used up).
    [[nodiscard]] Result<RegionPin> add(Region region) {
        if (region.bytes.empty()) return Error(Errc::invalid_argument, "a region needs at least one byte");
        const auto lock = std::lock_guard(mutex_);
        if (region.bytes.size() > std::numeric_limits<std::uint64_t>::max() - alignment - end_)
            return Error(Errc::out_of_range, "the segment's offset space is used up");
        region.offset = end_;
        end_ = round_up(end_ + region.bytes.size(), alignment);
        auto added = std::make_shared<const Region>(std::move(region));
        auto next = std::make_shared<Regions>(*regions_);
        next->push_back(added);
        regions_ = std::move(next);
        return added;
    }

    /// No access begins after this returns. Those in flight hold pins: `use_count` of the caller's tells.
    void remove(const RegionPin& region) {
        const auto lock = std::lock_guard(mutex_);
        auto next = std::make_shared<Regions>(*regions_);
        std::erase(*next, region);
        regions_ = std::move(next);
    }

    /// The region that holds `[offset, offset + length)`, if `key` gives `needed` on it.
    /// Errors (bare): `out_of_range`, `access_denied`.
    [[nodiscard]] Result<RegionPin> resolve(std::uint64_t offset, std::uint64_t length, std::uint64_t key,
                                            Rights needed) const {
        const auto regions = snapshot();
        auto after = std::upper_bound(regions->begin(), regions->end(), offset,
                                      [](std::uint64_t at, const RegionPin& region) { return at < region->offset; });
        if (after == regions->begin()) return Errc::out_of_range;
        const auto& region = *std::prev(after);
        if (!within(offset - region->offset, length, region->bytes.size())) return Errc::out_of_range;
        if (!includes(region->rights_granted(key), needed)) return Errc::access_denied;
        return region;
    }

    using Regions = std::vector<RegionPin>; // by offset

    [[nodiscard]] std::shared_ptr<const Regions> snapshot() const {
        const auto lock = std::lock_guard(mutex_);
        return regions_;
    }

  private:
    static constexpr std::uint64_t alignment = 2 * MiB;

    const std::uint64_t generation_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Regions> regions_;
    std::uint64_t end_ = 0;
};

} // namespace mooncake
