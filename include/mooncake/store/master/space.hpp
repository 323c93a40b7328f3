#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/store/master/due_log.hpp>
#include <mooncake/store/master/eviction_domain.hpp>
#include <mooncake/store/master/expired.hpp>
#include <mooncake/store/master/fence_table.hpp>
#include <mooncake/store/master/lease_table.hpp>
#include <mooncake/store/master/new_object.hpp>
#include <mooncake/store/master/prospect.hpp>
#include <mooncake/store/master/quarantine.hpp>
#include <mooncake/store/master/segment_table.hpp>
#include <mooncake/store/master/shard.hpp>
#include <mooncake/store/master/traits.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What is shared by the handlers: the objects, and the space they lie in. Creates, evicts, buries and deletes objects.
/// Locks: `domain.mutex`, then at most one shard's, then the lease table's own. Functions that say nothing need the
/// domain's held and no shard's.
template <MasterTraitsLike Traits>
class Space {
  public:
    Space(const MasterConfig& master_config, MasterParts<Traits> parts)
        : config(master_config), lease_policy(std::move(parts.lease)), clock(std::move(parts.clock)),
          domain(std::move(parts.eviction)), segments(std::move(parts.placement)), journal(std::move(parts.journal)) {}
    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;
    ~Space() {
        for (auto& shard : shards) shard.for_each([](Object& object) { delete &object; });
        quarantine_.for_each([](Object& object) { delete &object; });
    }

    const MasterConfig config;
    const std::uint64_t term = random_secret();
    const typename Traits::Lease lease_policy;
    const typename Traits::Clock clock;
    Shards shards;
    EvictionDomain<typename Traits::Eviction> domain;
    SegmentTable<typename Traits::Allocator, typename Traits::Placement> segments;
    LeaseTable<> leases;
    typename Traits::Journal journal;

    /// Space for an object nobody has, or for what takes the place of one: `ok` and the object, in its shard, being written; or
    /// why not. Nothing is evicted for an object that could not have space, in one piece a replica, if all that may go went.
    [[nodiscard]] Errc create(const NewObject& object_wanted, const PutStart& wanted, TimePoint now, TimePoint deadline,
                              SpaceSearch& search, Object*& created) {
        auto extents = Extents();
        const auto& [text, key, size, parent, expected] = object_wanted;
        const auto bytes = extent_bytes(size);
        const auto large_enough = segments.as_large_as(bytes, wanted.excluded);
        const auto count = std::min({wanted.replicas, large_enough, most_replicas});
        if (count == 0)
            return segments.taking_writes() != 0 && segments.as_large_as(bytes) == 0 ? Errc::too_large : Errc::no_space;
        if (count < wanted.replicas && wanted.demand == ReplicaDemand::all) return Errc::no_space;
        const auto entry = EvictionEntry{.key_hash = key.hash, .parent = parent, .bytes = bytes * count, .now = now};
        domain.capacity(segments.capacity());
        const auto avoid = segments.locate(wanted.avoid);
        auto request = PlacementRequest{.bytes = bytes,
                                        .replicas = count,
                                        .evenly = true,
                                        .near = segments.locate(wanted.near_host, wanted.near_rack),
                                        .preferred = wanted.preferred,
                                        .excluded = wanted.excluded,
                                        .avoid = avoid,
                                        .now = now};
        auto& evenly = request.evenly;
        auto reclaimed = false;
        for (auto evictions = 0; !segments.allocate(request, extents);) {
            if (!std::exchange(reclaimed, true)) {
                reclaim(now, std::exchange(search.reclaimed, true) ? a_few : all_of_them);
                domain.expect(entry);
                continue;
            }
            auto evicted = Evicted::nothing_worth_it;
            if (!search.exhausted && feasible(bytes, count, wanted.excluded, now, search) &&
                !(evenly && evictions++ == most_for_balance))
                evicted = evict_one(
                    now, [&](const Object& victim) { return !evenly || makes_room_elsewhere(victim, bytes); });
            search.exhausted |= evicted == Evicted::nothing;
            if (evicted != Evicted::one && !std::exchange(evenly, false)) return Errc::no_space;
        }
        auto* const object = new Object{.key = text,
                                        .hash = key.hash,
                                        .size = size,
                                        .version = ++last_version_,
                                        .write_deadline = deadline,
                                        .pin = wanted.pin,
                                        .compares = wanted.mode == WriteMode::compare && expected != 0,
                                        .placed = static_cast<std::uint16_t>(count),
                                        .extents = std::move(extents)};
        domain.add(*object, entry);
        if (wanted.pin == Pin::hard) pinned_ += object->held_space();
        writing.add(object->held_space());
        if (search.mapped)
            for (const auto& extent : object->extents) prospect_.stays(extent, granules(size));
        auto& shard = shards.of(key.hash);
        const auto lock = std::lock_guard(shard.mutex);
        shard.insert(*object);
        created = object;
        return Errc::ok;
    }

    /// Erases `object` from its shard if `condition` holds under its lock.
    template <class Condition>
    [[nodiscard]] bool erase_if(Object& object, const Condition& condition) {
        auto& shard = shards.of(object.hash);
        const auto lock = std::lock_guard(shard.mutex);
        if (!condition(object)) return false;
        shard.erase(object);
        return true;
    }

    /// What happened to `object`, which is visible, or was. Requires: its shard is locked, or the domain is.
    void tell(EventKind kind, const Object& object) {
        if constexpr (Traits::Journal::keeps)
            journal.record({.kind = kind, .key = object.key, .version = object.version, .size = object.size});
    }

    /// `object` was just erased from its shard, and whoever has to know was told. It is deleted, now if `until` has passed and
    /// it is not leased.
    void bury(Object& object, TimePoint until, TimePoint now) {
        domain.remove(object, Departure::removed);
        if (object.pin == Pin::hard) pinned_ -= object.held_space();
        if (!object.committed()) writing.subtract(object.held_space());
        if (until > now || object.leased()) quarantine_.add(object, until);
        else discard(object);
    }

    /// Buries an object whose writer may still be writing, if it is not committed.
    void bury_unfinished(Object& object, TimePoint now) {
        object.unsettled |= !object.committed();
        const auto by_time = std::any_of(object.extents.begin(), object.extents.end(), [](const Extent& extent) {
            return extent.segment->fencing == Fencing::by_time;
        });
        bury(object, object.unsettled && by_time ? object.write_deadline + config.skew : now, now);
    }

    /// What the owner of `segment` has fenced is free again; gives what it is to fence.
    [[nodiscard]] std::vector<FencedExtent> fence(std::uint32_t segment, const std::vector<std::uint64_t>& fenced) {
        fences_.confirm(segment, fenced,
                        [this](const Extent& extent, std::uint64_t bytes) { segments.free(extent, bytes); });
        fenced_bytes.store(fences_.held().bytes, std::memory_order_relaxed);
        return fences_.told(segment);
    }

    /// Ends the leases whose time is over, and tells how many. Thread: any, with or without the domain's lock.
    std::size_t end_leases(TimePoint now) {
        auto freed = std::vector<Touch>();
        const auto ended = leases.expire(now, freed);
        domain.leave(freed);
        return ended;
    }

    /// How many of those in quarantine are looked at beside something else.
    static constexpr std::size_t a_few = 64, all_of_them = std::numeric_limits<std::size_t>::max();
    /// Gives back what is nobody's any more: leases, writes, lives and quarantine whose time is over.
    Expired reclaim(TimePoint now, std::size_t most = all_of_them) {
        auto reclaimed = Expired{.leases = end_leases(now), .lives = end_lives(now)};
        writes_.expire(now, [&](const Touch& write) {
            auto* const object = domain.find(write);
            if (object == nullptr || !erase_if(*object, [](const Object& o) { return !o.committed(); })) return;
            bury_unfinished(*object, now);
            ++reclaimed.writes;
        });
        reclaimed.extents = quarantine_.sweep(now, most, [&](Object& object) { discard(object); });
        return reclaimed;
    }

    /// Objects whose time to live is over go by name; those who read them finish.
    std::size_t end_lives(TimePoint now) {
        auto ended = std::size_t{0};
        lives_.expire(now, [&](const Touch& life) {
            auto* const object = domain.find(life);
            if (object == nullptr || !erase_if(*object, [](const Object&) { return true; })) return;
            if (object->committed()) tell(EventKind::expired, *object);
            bury_unfinished(*object, now);
            ++ended;
        });
        return ended;
    }
    /// The same for those who are about to look. No lock is held. Complexity: O(1) where none is over.
    void end_lives_before_looking() {
        if (!lives_.any() || !lives_.any_due(now())) return;
        const auto lock = std::lock_guard(domain.mutex);
        end_lives(now());
    }
    void log_lives(TimePoint end, std::vector<Touch> objects) {
        lives_.add(end, std::move(objects), [&](const Touch& life) { return domain.find(life) != nullptr; });
    }

    /// What time does, segments included. No lock is held.
    Expired expire() {
        auto expired = Expired{};
        {
            const auto lock = std::lock_guard(domain.mutex);
            const auto at = now();
            expired = reclaim(at);
            expired.segments = segments.expire(at, config.segment_ttl);
        }
        if (expired.segments != 0) expired.objects = sweep_dead();
        return expired;
    }

    [[nodiscard]] TimePoint now() const noexcept { return clock.now(); }

    void log_writes(TimePoint deadline, std::vector<Touch> writes) {
        writes_.add(deadline, std::move(writes), [&](const Touch& write) {
            const auto* object = domain.find(write);
            return object != nullptr && !object->committed();
        });
    }

    /// Drops the replicas in dead segments, and the objects that have none left. No lock is held: takes the domain's
    /// anew for each of the shards. Returns how many objects went.
    std::size_t sweep_dead() {
        auto gone = std::size_t{0};
        auto hurt = std::vector<Object*>();
        for (auto& shard : shards) {
            hurt.clear();
            const auto lock = std::lock_guard(domain.mutex);
            if (segments.dead() == 0) break;
            const auto now = clock.now();
            {
                const auto shard_lock = std::lock_guard(shard.mutex);
                shard.for_each([&](Object& object) {
                    if (drop_dead_extents(object)) hurt.push_back(&object);
                });
                std::erase_if(hurt, [](const Object* object) { return !object->extents.empty(); });
                for (auto* object : hurt) {
                    shard.erase(*object);
                    shard.remember_lost(*object);
                    if (object->committed()) tell(EventKind::lost, *object);
                }
            }
            for (auto* object : hurt) bury(*object, now, now);
            gone += hurt.size();
        }
        const auto lock = std::lock_guard(domain.mutex);
        quarantine_.for_each([&](Object& object) { drop_dead_extents(object); });
        fences_.drop_dead([this](const Extent& extent, std::uint64_t bytes) { segments.free(extent, bytes); });
        fenced_bytes.store(fences_.held().bytes, std::memory_order_relaxed);
        return gone;
    }

    [[nodiscard]] StatsReply stats() const {
        return {.eviction = std::string(domain.name()),
                .segments = segments.size(),
                .objects = domain.size(),
                .leases = leases.size(),
                .capacity_bytes = segments.capacity(),
                .used_bytes = segments.capacity() - segments.free_bytes(),
                .free_bytes = segments.free_bytes(),
                .leased_bytes = leases.held().bytes,
                .pinned_bytes = pinned_.bytes,
                .writing_bytes = writing.get().bytes,
                .quarantined_bytes = quarantine_.space().bytes + fences_.held().bytes,
                .evictions = evictions_,
                .evicted_bytes = evicted_bytes_};
    }

    SharedHeldSpace writing;                    ///< any thread; by what is being written
    std::atomic<std::uint64_t> fenced_bytes{0}; ///< any thread; that wait for the owners of their memory

  private:
    /// What an extent of an object of `size` bytes takes from its segment.
    static std::uint64_t granules(std::uint64_t size) noexcept {
        return round_up(extent_bytes(size), Traits::Allocator::granularity);
    }
    static bool is_evictable(const Object& object) noexcept { return object.evictable(); }
    static bool may_go(const Object& object) noexcept { return object.pin == Pin::none && object.evictable(); }

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
            auto in_the_way = leases.held() + pinned_ + writing.get() + quarantine_.space() + fences_.held();
            in_the_way.bytes += in_the_way.extents * (Traits::Allocator::granularity - 1); // at most, to whole granules
            if (excluded.empty() && segments.surely_has_room(needed, count, in_the_way)) return true;
            if (now < count_again_ && segments.count_if(has_place, excluded) >= count) return true;
            search.counted = true;
            prospect_.clear();
            for_each_object([&](const Object& object) {
                if (!may_go(object)) return;
                for (const auto& extent : object.extents) prospect_.may_go(extent, granules(object.size));
            });
            const auto then = clock.now();
            count_again_ =
                then + std::max(count_pause, 20 * (then - now)); // so that counting takes no more than a share
        }
        if (segments.count_if(has_bytes, excluded) < count) return false;
        if (!search.mapped && segments.count_if(has_place, excluded) >= count) return true;
        if (!std::exchange(search.mapped, true)) map_what_stays();
        return segments.count_if(has_stretch, excluded) >= count;
    }

    void map_what_stays() {
        const auto stays = [&](const Object& object) {
            for (const auto& extent : object.extents) prospect_.stays(extent, granules(object.size));
        };
        for_each_object([&](const Object& object) {
            if (!may_go(object)) stays(object);
        });
        quarantine_.for_each(stays);
        fences_.for_each([&](const Extent& extent, std::uint64_t bytes) { prospect_.stays(extent, granules(bytes)); });
    }

    template <class Visit>
    void for_each_object(const Visit& visit) {
        for (auto& shard : shards) {
            const auto lock = std::lock_guard(shard.mutex);
            shard.for_each(visit);
        }
    }

    enum class Evicted : std::uint8_t { one, nothing, nothing_worth_it };

    /// Evicts the first in the order that may go, if it is `worth` it. Never what is being written, leased, or pinned.
    template <class Worth>
    [[nodiscard]] Evicted evict_one(TimePoint now, const Worth& worth) {
        for (;;) {
            auto* const victim = domain.victim(&is_evictable, now);
            if (victim == nullptr) return Evicted::nothing;
            if (!worth(*victim)) return Evicted::nothing_worth_it;
            if (!erase_if(*victim, &is_evictable)) continue; // leased meanwhile: the next look sees it
            domain.remove(*victim, Departure::evicted);
            tell(EventKind::evicted, *victim);
            ++evictions_;
            evicted_bytes_ += victim->footprint();
            for (const auto& extent : victim->extents) prospect_.went(extent, granules(victim->size));
            discard(*victim);
            return Evicted::one;
        }
    }

    /// Than where there is room already.
    [[nodiscard]] bool makes_room_elsewhere(const Object& victim, std::uint64_t bytes) const {
        return std::any_of(victim.extents.begin(), victim.extents.end(), [&](const Extent& extent) {
            const auto& segment = *extent.segment;
            return segment.alive.load(std::memory_order_relaxed) && segments.lacks_room(segment, bytes);
        });
    }

    bool drop_dead_extents(Object& object) { // requires: its shard is locked, or it is in none
        return object.drop_dead_extents([&](const Extent& e) { segments.free(e, extent_bytes(object.size)); });
    }

    /// Requires: in no shard, no slot, not leased.
    void discard(Object& object) {
        const auto bytes = extent_bytes(object.size);
        for (const auto& extent : object.extents) {
            const auto& segment = *extent.segment;
            const auto fenced = object.unsettled && segment.fencing == Fencing::by_owner;
            if (fenced && segment.alive.load(std::memory_order_relaxed)) fences_.add(extent, bytes);
            else segments.free(extent, bytes);
        }
        fenced_bytes.store(fences_.held().bytes, std::memory_order_relaxed);
        delete &object;
    }

    /// So many objects go for the sake of one that has room only where too much was written of late.
    static constexpr int most_for_balance = 8;
    static constexpr std::uint32_t most_replicas = std::numeric_limits<std::uint16_t>::max();

    Quarantine quarantine_;
    FenceTable<> fences_;
    static constexpr Duration count_pause = std::chrono::milliseconds{100};
    Prospect<> prospect_;     ///< as it was counted last
    TimePoint count_again_{}; ///< until when that is believed
    DueLog writes_, lives_;
    std::uint64_t last_version_ = random_secret() >> 2; // so that another master's versions are no versions of this one
    HeldSpace pinned_;
    std::uint64_t evictions_ = 0, evicted_bytes_ = 0;
};

} // namespace mooncake::store::detail
