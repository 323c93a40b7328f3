#pragma once

#include <mooncake/store/master/endings.hpp>
#include <mooncake/store/master/eviction_domain.hpp>
#include <mooncake/store/master/expired.hpp>
#include <mooncake/store/master/fence_table.hpp>
#include <mooncake/store/master/new_object.hpp>
#include <mooncake/store/master/quarantine.hpp>
#include <mooncake/store/master/replica_space.hpp>
#include <mooncake/store/master/replication.hpp>
#include <mooncake/store/master/room.hpp>
#include <mooncake/store/master/segment_table.hpp>
#include <mooncake/store/master/shard.hpp>
#include <mooncake/store/master/tenant_numbers.hpp>
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
class Space final : public ReplicaSpace {
  public:
    Space(const MasterConfig& master_config, MasterParts<Traits> parts)
        : ReplicaSpace(master_config), lease_policy(std::move(parts.lease)), clock(std::move(parts.clock)),
          domain(std::move(parts.eviction)), segments(std::move(parts.placement)), journal(std::move(parts.journal)) {
        for (const auto& [name, quota] : config.tenants)
            (void)set_quota(*this, name, quota); // there is a number for each
    }
    ~Space() {
        for (auto& shard : shards) shard.for_each([](Object& object) { delete &object; });
        quarantine_.for_each([](Object& object) { delete &object; });
    }

    typename Traits::Lease lease_policy;
    const typename Traits::Clock clock;
    EvictionDomain<typename Traits::Eviction> domain;
    SegmentTable<typename Traits::Allocator, typename Traits::Placement> segments;
    typename Traits::Journal journal;

    Replication<> replication{*this};
    Room<Space> room{*this};
    Endings<> endings{*this};
    static constexpr std::uint64_t granularity = Traits::Allocator::granularity;

    /// Space for an object nobody has, or for what takes the place of one: `ok` and the object, in its shard, being written; or
    /// why not.
    [[nodiscard]] Errc create(const NewObject& object_wanted, const PutStart& wanted, TimePoint now, TimePoint deadline,
                              SpaceSearch& search, Object*& created) {
        auto extents = Extents();
        const auto& [text, key, size, parent, expected, tenant] = object_wanted;
        search.turn_to(tenant);
        const auto bytes = extent_bytes(size);
        const auto large_enough = segments.as_large_as(bytes, wanted.excluded);
        const auto count = std::min({wanted.replicas, large_enough, most_replicas});
        if (count == 0)
            return segments.taking_writes() != 0 && segments.as_large_as(bytes) == 0 ? Errc::too_large : Errc::no_space;
        if (count < wanted.replicas && wanted.demand == ReplicaDemand::all) return Errc::no_space;
        if (wanted.pin == Pin::hard && !tenants[tenant].fits_pinned(bytes * count)) {
            ++tenants[tenant].refused;
            return Errc::quota;
        }
        if (!room.make_within_quota(bytes * count, 1, now, search)) return Errc::quota;
        const auto entry = entry_of(text, key.hash, tenant, parent, bytes * count, now);
        domain.capacity(capacity_of(tenant), tenant);
        const auto avoid = segments.locate(wanted.avoid);
        const auto request = PlacementRequest{.bytes = bytes,
                                              .replicas = count,
                                              .near = segments.locate(wanted.near_host, wanted.near_rack),
                                              .preferred = wanted.preferred,
                                              .excluded = wanted.excluded,
                                              .avoid = avoid,
                                              .now = now};
        if (!room.make(request, &entry, search, extents)) return Errc::no_space;
        if (count < wanted.replicas) replication.hurt.note();
        auto* const object =
            new (text) Object{.hash = key.hash,
                              .key_bytes = Object::bytes_of(text),
                              .wanted = static_cast<std::uint16_t>(std::min(wanted.replicas, most_replicas)),
                              .size = size,
                              .version = ++last_version_,
                              .tenant = tenant,
                              .placed = static_cast<std::uint16_t>(count),
                              .pin = wanted.pin,
                              .compares = wanted.mode == WriteMode::compare && expected != 0,
                              .write_deadline = deadline,
                              .extents = std::move(extents)};
        domain.add(*object, entry);
        tenants.came(*object);
        if (wanted.pin == Pin::soft) endings.log_pin(*object, now + soft_pin_time(wanted.pin_ms));
        writing.add(object->held_space());
        room.taken(*object, search);
        auto& shard = shards.of(key.hash);
        const auto lock = std::lock_guard(shard.mutex);
        shard.insert(*object);
        created = object;
        return Errc::ok;
    }

    /// What happened to `object`, which is visible, or was. Requires: its shard is locked, or the domain is.
    void tell(EventKind kind, const Object& object) override {
        if constexpr (Traits::Journal::keeps)
            journal.record(
                {.kind = kind, .key = std::string(object.key()), .version = object.version, .size = object.size});
    }

    /// `object` was just erased from its shard, and whoever has to know was told. It is deleted, now if `until` has passed and
    /// it is not leased.
    void bury(Object& object, TimePoint until, TimePoint now) {
        leave_order(object, Departure::removed);
        if (!object.committed()) writing.subtract(object.held_space());
        discard_after(object, until, now);
    }

    /// Buries an object whose writer may still be writing, if it is not committed.
    void bury_unfinished(Object& object, TimePoint now) override {
        object.unsettled |= !object.committed();
        bury(object, until_it_is_quiet(object, now), now);
    }

    /// `victim` was just erased from its shard, for the sake of one of `putter`.
    void evict(Object& victim, TenantNumber putter) {
        leave_order(victim, Departure::evicted);
        tenants.evicted(victim, putter);
        tell(EventKind::evicted, victim);
        ++evictions_;
        evicted_bytes_ += extent_bytes(victim.size) * victim.extents.size();
        discard(victim);
    }

    /// A name for a version, or for a copy.
    [[nodiscard]] std::uint64_t next_version() noexcept override { return ++last_version_; }

    /// It goes, at once or when that can do no harm. Requires: as `discard`, but for the lease.
    void discard_after(Object& object, TimePoint until, TimePoint now) override {
        if (until > now || object.leased()) quarantine_.add(object, until);
        else discard(object);
    }
    /// When nobody can be writing to `object` any more, if its owners cannot tell.
    [[nodiscard]] TimePoint until_it_is_quiet(const Object& object, TimePoint now) const override {
        const auto by_time = std::any_of(object.extents.begin(), object.extents.end(), [](const Extent& extent) {
            return extent.segment->fencing == Fencing::by_time;
        });
        return object.unsettled && by_time ? object.write_deadline + config.skew : now;
    }

    /// An extent of `object`, which has it no more, is given back.
    void free(const Object& object, const Extent& extent) override {
        const auto bytes = extent_bytes(object.size);
        const auto& segment = *extent.segment;
        const auto fenced = object.unsettled && segment.fencing == Fencing::by_owner;
        if (fenced && segment.alive.load(std::memory_order_relaxed)) {
            fences_.add(extent, bytes);
            fenced_bytes.store(fences_.held().bytes, std::memory_order_relaxed);
        } else segments.free(extent, bytes);
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
        const auto ended = LeaseTable<>::with_ends(
            now, lease_policy, [&](LeaseTable<>::Ends* ends) { return leases.expire(now, freed, ends); });
        domain.leave(freed);
        return ended;
    }

    /// How many of those in quarantine are looked at beside something else.
    static constexpr std::size_t a_few = 64, all_of_them = std::numeric_limits<std::size_t>::max();
    /// Gives back what is nobody's any more: leases, writes, lives and quarantine whose time is over.
    Expired reclaim(TimePoint now, std::size_t most = all_of_them) {
        auto reclaimed = Expired{.leases = end_leases(now), .lives = endings.end_lives_and_pins(now)};
        reclaimed.writes = endings.end_writes(now) + replication.expire(now);
        replication.sweep(most);
        reclaimed.extents = quarantine_.sweep(now, most, [&](Object& object) { discard(object); });
        return reclaimed;
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

    [[nodiscard]] TimePoint now() const noexcept override { return clock.now(); }

    /// Drops the replicas in dead segments, and the objects that have none left. No lock is held: takes the domain's
    /// anew for each of the shards. Returns how many objects went.
    std::size_t sweep_dead() {
        auto gone = std::size_t{0};
        auto losers = std::vector<Object*>();
        for (auto& shard : shards) {
            losers.clear();
            const auto lock = std::lock_guard(domain.mutex);
            if (segments.dead() == 0) break;
            const auto now = clock.now();
            {
                const auto shard_lock = std::lock_guard(shard.mutex);
                shard.for_each([&](Object& object) {
                    if (drop_dead_extents(object)) losers.push_back(&object);
                });
                const auto left = std::erase_if(losers, [](const Object* object) { return !object->extents.empty(); });
                if (left != 0) replication.hurt.note();
                for (auto* object : losers) {
                    shard.erase(*object);
                    shard.remember_lost(*object);
                    if (object->committed()) tell(EventKind::lost, *object);
                }
            }
            for (auto* object : losers) bury(*object, now, now);
            gone += losers.size();
        }
        const auto lock = std::lock_guard(domain.mutex);
        quarantine_.for_each([&](Object& object) { drop_dead_extents(object); });
        replication.copies.for_each([&](Object& target) { drop_dead_extents(target); });
        fences_.drop_dead([this](const Extent& extent, std::uint64_t bytes) { segments.free(extent, bytes); });
        fenced_bytes.store(fences_.held().bytes, std::memory_order_relaxed);
        return gone;
    }

    /// At least what does not go by evicting.
    [[nodiscard]] HeldSpace in_the_way() const {
        return leases.held() + tenants.pinned() + writing.get() + quarantine_.space() + fences_.held() +
               replication.added();
    }
    template <class Visit>
    void for_each_object(const Visit& visit) {
        for (auto& shard : shards) {
            const auto lock = std::lock_guard(shard.mutex);
            shard.for_each(visit);
        }
    }
    /// `visit(extent, bytes)` for what is allocated for no object that can be found.
    template <class Visit>
    void for_each_extent_of_nobody(const Visit& visit) const {
        const auto visit_all = [&](const Object& object) {
            for (const auto& extent : object.extents) visit(extent, extent_bytes(object.size));
        };
        quarantine_.for_each(visit_all);
        replication.copies.for_each(visit_all);
        fences_.for_each(visit);
    }

    /// What the tenants have, found by looking at every object.
    [[nodiscard]] TenantsReply count_tenants() {
        auto counted = tenants;
        counted.clear_counts();
        const auto count_bytes = [&](const Object& object) { counted.changed(object.tenant, 0, object.bytes_now()); };
        for_each_object([&](const Object& object) { counted.came(object); });
        quarantine_.for_each(count_bytes);
        replication.copies.for_each(count_bytes);
        return counted.describe();
    }

    [[nodiscard]] StatsReply stats() const override {
        return {.eviction = std::string(domain.name()),
                .segments = segments.size(),
                .objects = domain.size(),
                .leases = leases.size(),
                .capacity_bytes = segments.capacity(),
                .used_bytes = segments.capacity() - segments.free_bytes(),
                .free_bytes = segments.free_bytes(),
                .leased_bytes = leases.held().bytes,
                .pinned_bytes = tenants.pinned().bytes,
                .writing_bytes = writing.get().bytes,
                .quarantined_bytes = quarantine_.space().bytes + fences_.held().bytes,
                .evictions = evictions_,
                .evicted_bytes = evicted_bytes_};
    }

    std::atomic<std::uint64_t> fenced_bytes{0}; ///< any thread; that wait for the owners of their memory

    // As `ReplicaSpace`

    [[nodiscard]] std::mutex& lock_of_the_domain() noexcept override { return domain.mutex; }
    void settle(TimePoint at) override {
        end_leases(at);
        endings.end_lives_and_pins(at);
        domain.drain(at);
    }
    void reclaim_all(TimePoint at) override { (void)reclaim(at); }
    [[nodiscard]] LeaseTable<>::Granted grant(LeaseTable<>::Covered covered, TimePoint at) override {
        return leases.grant(std::move(covered), LeasePurpose::read, at, lease_policy);
    }
    void release(std::uint64_t lease) override {
        auto freed = std::vector<Touch>();
        leases.release(lease, freed);
        domain.leave(freed);
    }
    [[nodiscard]] Object* find(const Touch& touch) const noexcept override { return domain.find(touch); }
    [[nodiscard]] bool make_within_quota(std::uint64_t bytes, std::uint64_t objects, TimePoint at,
                                         SpaceSearch& search) override {
        return room.make_within_quota(bytes, objects, at, search);
    }
    void pin(Object& object, Pin pin, TimePoint end, TimePoint at) override {
        const auto bytes = object.bytes_now();
        tenants.count_pin_no_more(object);
        if (pin != object.pin)
            domain.pin(object, pin, entry_of(object.key(), object.hash, object.tenant, 0, bytes, at));
        tenants.count_pin(object);
        if (pin == Pin::soft) endings.log_pin(object, end);
    }
    void forget(TenantNumber tenant) override { domain.forget(tenant); }
    [[nodiscard]] SoftPin& soft_pin(const Object& object) override { return domain.soft_pin(object); }
    [[nodiscard]] bool make_room(const PlacementRequest& request, SpaceSearch& search, Extents& extents) override {
        return room.make(request, nullptr, search, extents);
    }
    void taken(const Object& object, const SpaceSearch& search) override { room.taken(object, search); }
    [[nodiscard]] Location locate(const std::string& host, const std::string& rack) const override {
        return segments.locate(host, rack);
    }
    [[nodiscard]] std::vector<Location> locate(const std::vector<std::uint32_t>& ids) const override {
        return segments.locate(ids);
    }
    [[nodiscard]] std::uint32_t as_large_as(std::uint64_t bytes,
                                            const std::vector<std::uint32_t>& excluded) const override {
        return segments.as_large_as(bytes, excluded);
    }
    [[nodiscard]] bool takes_writes(const Segment& segment) const noexcept override {
        return segments.takes_writes(segment);
    }
    [[nodiscard]] std::size_t taking_writes() const noexcept override { return segments.taking_writes(); }
    [[nodiscard]] Result<std::uint64_t> drain(const Drain& message) override {
        return segments.drain(message.segment, message.generation, message.mode);
    }

  private:
    bool drop_dead_extents(Object& object) { // requires: its shard is locked, or it is in none
        return replication.change(object, [&] {
            return object.drop_extents(
                [](const Extent& e) { return !e.segment->alive.load(std::memory_order_relaxed); },
                [&](const Extent& e) { segments.free(e, extent_bytes(object.size)); });
        });
    }

    void leave_order(const Object& object, Departure why) {
        domain.remove(object, why);
        tenants.left(object);
    }
    /// That a tenant can have at most.
    [[nodiscard]] std::uint64_t capacity_of(TenantNumber tenant) const noexcept {
        const auto quota = tenants[tenant].quota.bytes;
        return quota == 0 ? segments.capacity() : std::min(quota, segments.capacity());
    }

    /// Requires: in no shard, no slot, not leased.
    void discard(Object& object) {
        replication.forget(object);
        tenants.changed(object.tenant, object.bytes_now(), 0);
        for (const auto& extent : object.extents) free(object, extent);
        delete &object;
    }

    static constexpr std::uint32_t most_replicas = std::numeric_limits<std::uint16_t>::max();

    Quarantine quarantine_;
    FenceTable<> fences_;
    std::uint64_t last_version_ = random_secret() >> 2; // so that another master's versions are no versions of this one
    std::uint64_t evictions_ = 0, evicted_bytes_ = 0;
};

} // namespace mooncake::store::detail
