#pragma once

#include <mooncake/memory/access.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/memory/write_fence.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
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

/// Holds a region while an access to its bytes is in flight, or while a peer maps it.
using RegionPin = std::shared_ptr<const Region>;

/// The regions of one moment. Holds them all, so what it resolves stays put as long as it lives.
class RegionSnapshot {
  public:
    /// Regions by offset, in chunks that moments share: one that comes or goes costs a chunk, and not all of them.
    using Chunk = std::vector<RegionPin>; ///< never empty
    using Chunks = std::vector<std::shared_ptr<const Chunk>>;
    static constexpr std::size_t most_in_a_chunk = 128;

    RegionSnapshot() = default;
    explicit RegionSnapshot(std::shared_ptr<const Chunks> chunks) noexcept : chunks_(std::move(chunks)) {}

    struct Found {
        Errc error = Errc::ok; ///< `out_of_range`, `access_denied`
        std::byte* bytes = nullptr;
        const RegionPin* region = nullptr;
    };

    /// Where `[offset, offset + length)` lies, if one region holds all of it and `key` gives `needed` on that.
    /// `near`: a region of this moment, where one looks first. Complexity: O(log regions), O(1) in `near`.
    [[nodiscard]] Found resolve(std::uint64_t offset, std::uint64_t length, std::uint64_t key, Rights needed,
                                const RegionPin* near = nullptr) const noexcept {
        if (near != nullptr && offset >= (*near)->offset && offset - (*near)->offset < (*near)->bytes.size())
            return resolve_in(*near, offset, length, key, needed);
        if (!chunks_) return {.error = Errc::out_of_range};
        const auto chunk =
            std::upper_bound(chunks_->begin(), chunks_->end(), offset,
                             [](std::uint64_t at, const auto& other) { return at < other->front()->offset; });
        if (chunk == chunks_->begin()) return {.error = Errc::out_of_range};
        const auto& regions = **std::prev(chunk);
        const auto after = std::upper_bound(regions.begin(), regions.end(), offset,
                                            [](std::uint64_t at, const auto& region) { return at < region->offset; });
        return resolve_in(*std::prev(after), offset, length, key, needed);
    }

    /// Holds the regions on somebody else's behalf.
    [[nodiscard]] std::shared_ptr<const void> hold() const noexcept { return chunks_; }

  private:
    /// Requires: `region` begins at `offset` or before.
    static Found resolve_in(const RegionPin& region, std::uint64_t offset, std::uint64_t length, std::uint64_t key,
                            Rights needed) noexcept {
        if (!within(offset - region->offset, length, region->bytes.size())) return {.error = Errc::out_of_range};
        if (!includes(region->rights_granted(key), needed)) return {.error = Errc::access_denied};
        return {.bytes = region->bytes.data() + (offset - region->offset), .region = &region};
    }

    std::shared_ptr<const Chunks> chunks_;
};

/// The regions of one segment: what every transport checks accesses of peers against.
///
/// Offsets are handed out once and never again, so that a stale descriptor of a region that is gone meets nothing.
/// Thread: any.
class RegionTable {
  public:
    /// Told of each region that is removed, under the table's lock: it takes note and returns.
    using RemovalListener = std::function<void(const RegionPin&)>;

    /// `generation`: this incarnation of the segment, never 0; peers must name it.
    explicit RegionTable(std::uint64_t generation) : generation_(generation), chunks_(std::make_shared<Chunks>()) {}

    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
    /// Which writes still count. Every transport asks it before bytes go into a region, and holds what it gives meanwhile.
    [[nodiscard]] WriteFence& fence() noexcept { return fence_; }

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
        auto next = std::make_shared<Chunks>(*chunks_);
        if (next->empty() || next->back()->size() == RegionSnapshot::most_in_a_chunk) {
            next->push_back(std::make_shared<const Chunk>(Chunk{added}));
        } else {
            auto last = std::make_shared<Chunk>(*next->back());
            last->push_back(added);
            next->back() = std::move(last);
        }
        chunks_ = std::move(next);
        return added;
    }

    /// No access begins after this returns. Those in flight, and peers that map the region, hold pins: it is free when the
    /// caller's is the only one left.
    void remove(const RegionPin& region) {
        const auto lock = std::lock_guard(mutex_);
        auto next = std::make_shared<Chunks>(*chunks_);
        const auto after = std::upper_bound(next->begin(), next->end(), region->offset,
                                            [](auto at, const auto& other) { return at < other->front()->offset; });
        if (after == next->begin()) return;
        const auto at = std::prev(after);
        auto left = std::make_shared<Chunk>(**at);
        if (std::erase(*left, region) == 0) return;
        if (left->empty()) next->erase(at);
        else *at = std::move(left);
        chunks_ = std::move(next);
        for (const auto& [id, listener] : listeners_) listener(region);
    }

    [[nodiscard]] RegionSnapshot snapshot() const {
        const auto lock = std::lock_guard(mutex_);
        return RegionSnapshot(chunks_);
    }

    void listen(const void* owner, RemovalListener listener) {
        const auto lock = std::lock_guard(mutex_);
        listeners_.emplace_back(owner, std::move(listener));
    }
    /// After this returns the owner's listener is not running and will not be called.
    void unlisten(const void* owner) {
        const auto lock = std::lock_guard(mutex_);
        std::erase_if(listeners_, [owner](const auto& entry) { return entry.first == owner; });
    }

  private:
    using Chunk = RegionSnapshot::Chunk;
    using Chunks = RegionSnapshot::Chunks;

    static constexpr std::uint64_t alignment = 2 * MiB;

    const std::uint64_t generation_;
    WriteFence fence_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Chunks> chunks_;
    std::vector<std::pair<const void*, RemovalListener>> listeners_;
    std::uint64_t end_ = 0;
};

} // namespace mooncake
