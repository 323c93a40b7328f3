#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/store/master/new_object.hpp>
#include <mooncake/store/master/object.hpp>
#include <mooncake/store/master/prospect.hpp>
#include <mooncake/store/placement/concept.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Makes room: finds extents, and evicts one object after the other until there are some. Nothing is evicted for an object that
/// could not have space, in one piece a replica, if all that may go went; where tenants share the space, what those give that
/// have more than their share counts whole, though they give only down to it.
/// `Space`: what there is, and how objects go. Locks: the domain's is held, and no shard's.
template <class Space>
class Room {
  public:
    explicit Room(Space& space) noexcept : space_(space) {}

    /// Extents as `request` wants them, appended to `extents`; or false, and nothing changed but for what went. `expected`:
    /// the entry that the eviction policy is told of before something goes for it; null: none comes.
    [[nodiscard]] bool make(PlacementRequest request, const EvictionEntry* expected, SpaceSearch& search,
                            Extents& extents) {
        const auto now = request.now;
        const auto bytes = request.bytes;
        auto& evenly = request.evenly = true;
        auto reclaimed = false;
        for (auto evictions = 0; !space_.segments.allocate(request, extents);) {
            if (!std::exchange(reclaimed, true)) {
                space_.reclaim(now, std::exchange(search.reclaimed, true) ? Space::a_few : Space::all_of_them);
                if (expected != nullptr) space_.domain.expect(*expected, search.tenant);
                continue;
            }
            auto evicted = Evicted::nothing_worth_it;
            if (!search.nothing_left && feasible(bytes, request.replicas, request.excluded, now, search) &&
                !(evenly && evictions++ == most_for_balance))
                evicted = evict_one(
                    now, [&](const Object& victim) { return !evenly || makes_room_elsewhere(victim, bytes); }, search);
            search.nothing_left |= evicted == Evicted::nothing;
            if (evicted != Evicted::one && !std::exchange(evenly, false)) return false;
        }
        return true;
    }

    /// Evicts what is coldest of the tenant itself until `bytes` more in `objects` more are within its quota; or false. Nothing
    /// goes for what is beyond the quota by itself.
    [[nodiscard]] bool make_within_quota(std::uint64_t bytes, std::uint64_t objects, TimePoint now,
                                         SpaceSearch& search) {
        auto& tenant = space_.tenants[search.tenant];
        while (!tenant.fits(bytes, objects)) {
            if (tenant.could_fit(bytes, objects)) {
                if (!std::exchange(search.reclaimed, true)) {
                    space_.reclaim(now);
                    continue;
                }
                if (evict_one_of(search.tenant, now)) continue;
            }
            ++tenant.refused;
            return false;
        }
        return true;
    }

    /// What was made room for stays there, for what is yet to come of the same message.
    void taken(const Object& object, const SpaceSearch& search) {
        if (!search.mapped) return;
        for (const auto& extent : object.extents) prospect_.stays(extent, granules(object.size));
    }

    /// What an extent of an object of `size` bytes takes from its segment.
    static std::uint64_t granules(std::uint64_t size) noexcept {
        return round_up(extent_bytes(size), Space::granularity);
    }

  private:
    static bool is_evictable(const Object& object) noexcept { return object.evictable(); }

    /// Whether it may go for one of `search`. Requires: `giving_` is of that.
    [[nodiscard]] bool may_go(const Object& object, const SpaceSearch& search) const {
        if (object.pin == Pin::hard || !(object.evictable() || &object == search.kept)) return false;
        return !space_.tenants.any() || (object.tenant < giving_.size() && giving_[object.tenant]);
    }

    /// Whether evicting could give `count` extents of `bytes` bytes. Complexity: O(segments) as long as little is in the way;
    /// else O(objects), at most twice a message. What was counted just before is good enough for saying yes, not for no.
    [[nodiscard]] bool feasible(std::uint64_t bytes, std::uint32_t count, std::span<const std::uint32_t> excluded,
                                TimePoint now, SpaceSearch& search) {
        const auto needed = granules(bytes);
        const auto has_bytes = [&](const Segment* segment, std::uint64_t free, std::uint64_t) {
            return prospect_.has_bytes(segment, free, needed);
        };
        const auto has_place = [&](const Segment* segment, std::uint64_t, std::uint64_t) {
            return prospect_.has_place(segment, needed);
        };
        const auto has_stretch = [&](const Segment* segment, std::uint64_t, std::uint64_t capacity) {
            return prospect_.has_place(segment, needed) || prospect_.has_stretch(segment, capacity, needed);
        };
        if (!search.counted) {
            auto in_the_way = space_.in_the_way();
            in_the_way.bytes += in_the_way.extents * (Space::granularity - 1); // at most, to whole granules
            if (excluded.empty() && space_.segments.surely_has_room(needed, count, in_the_way)) return true;
            if (now < count_again_ && space_.segments.count_if(has_place, excluded) >= count) return true;
            search.counted = true;
            prospect_.clear();
            if (space_.tenants.any()) giving_ = space_.tenants.may_give(search.tenant);
            space_.for_each_object([&](const Object& object) {
                if (!may_go(object, search)) return;
                for (const auto& extent : object.extents) prospect_.may_go(extent, granules(object.size));
            });
            const auto then = space_.clock.now();
            count_again_ =
                then + std::max(count_pause, 20 * (then - now)); // so that counting takes no more than a share
        }
        if (space_.segments.count_if(has_bytes, excluded) < count) return false;
        if (!search.mapped && space_.segments.count_if(has_place, excluded) >= count) return true;
        if (!std::exchange(search.mapped, true)) map_what_stays(search);
        return space_.segments.count_if(has_stretch, excluded) >= count;
    }

    void map_what_stays(const SpaceSearch& search) {
        space_.for_each_object([&](const Object& object) {
            if (may_go(object, search)) return;
            for (const auto& extent : object.extents) prospect_.stays(extent, granules(object.size));
        });
        space_.for_each_extent_of_nobody(
            [&](const Extent& extent, std::uint64_t bytes) { prospect_.stays(extent, granules(bytes)); });
    }

    enum class Evicted : std::uint8_t { one, nothing, nothing_worth_it };

    /// Evicts the first in the order that may go, if it is `worth` it, of whoever is to give. Never what is being written,
    /// leased, or pinned.
    template <class Worth>
    [[nodiscard]] Evicted evict_one(TimePoint now, const Worth& worth, SpaceSearch& search) {
        for (;;) {
            const auto giver = space_.tenants.next_to_give(
                search.tenant, [&](TenantNumber tenant) { return search.is_exhausted(tenant); });
            if (!giver && search.with == Pin::soft) return Evicted::nothing;
            if (!giver) {
                search.exhausted.clear();
                search.with = Pin::soft;
                continue;
            }
            const auto evicted = evict_one(*giver, now, search.with, worth, search.tenant);
            if (evicted != Evicted::nothing) return evicted;
            search.exhausted.push_back(*giver);
        }
    }
    /// Of that tenant, for one of `putter`.
    template <class Worth>
    [[nodiscard]] Evicted evict_one(TenantNumber tenant, TimePoint now, Pin with, const Worth& worth,
                                    TenantNumber putter) {
        for (;;) {
            auto* const victim = space_.domain.victim(&is_evictable, now, tenant, with);
            if (victim == nullptr) return Evicted::nothing;
            if (!worth(*victim)) return Evicted::nothing_worth_it;
            if (!space_.erase_if(*victim, &is_evictable)) continue; // leased meanwhile: the next look sees it
            for (const auto& extent : victim->extents) prospect_.went(extent, granules(victim->size));
            space_.evict(*victim, putter);
            return Evicted::one;
        }
    }
    /// Whether one went.
    [[nodiscard]] bool evict_one_of(TenantNumber tenant, TimePoint now) {
        const auto whichever = [](const Object&) { return true; };
        return evict_one(tenant, now, Pin::none, whichever, tenant) == Evicted::one ||
               evict_one(tenant, now, Pin::soft, whichever, tenant) == Evicted::one;
    }

    /// Than where there is room already.
    [[nodiscard]] bool makes_room_elsewhere(const Object& victim, std::uint64_t bytes) const {
        return std::any_of(victim.extents.begin(), victim.extents.end(), [&](const Extent& extent) {
            const auto& segment = *extent.segment;
            return segment.alive.load(std::memory_order_relaxed) && space_.segments.lacks_room(segment, bytes);
        });
    }

    /// So many objects go for the sake of one that has room only where too much was written of late.
    static constexpr int most_for_balance = 8;
    static constexpr Duration count_pause = std::chrono::milliseconds{100};

    Space& space_;
    Prospect<> prospect_;      ///< as it was counted last
    std::vector<bool> giving_; ///< the same, by tenant; only where there are several
    TimePoint count_again_{};  ///< until when that is believed
};

} // namespace mooncake::store::detail
