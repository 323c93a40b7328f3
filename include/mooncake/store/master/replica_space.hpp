#pragma once

#include <mooncake/store/master/copy_table.hpp>
#include <mooncake/store/master/lease_table.hpp>
#include <mooncake/store/master/new_object.hpp>
#include <mooncake/store/master/shard.hpp>
#include <mooncake/store/master/tenant_table.hpp>
#include <mooncake/store/master/traits.hpp>
#include <mooncake/store/messages/events.hpp>
#include <mooncake/store/placement/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace mooncake::store::detail {

/// A master's space as those see it by whom replicas come and go, whatever its policies are: they are compiled once for all of
/// them. What each does stands at `Space`, or at the part of it that is named.
/// Locks: the domain's is held, and no shard's.
class ReplicaSpace {
  public:
    ReplicaSpace(const ReplicaSpace&) = delete;
    ReplicaSpace& operator=(const ReplicaSpace&) = delete;

    const MasterConfig config;
    const std::uint64_t term = random_secret();
    Shards shards;
    LeaseTable<> leases;
    TenantTable<> tenants;
    SharedHeldSpace writing; ///< any thread; by what is being written

    [[nodiscard]] virtual std::mutex& lock_of_the_domain() noexcept = 0;
    [[nodiscard]] virtual TimePoint now() const noexcept = 0;
    /// What time has ended goes, and the touches that were left are applied.
    virtual void settle(TimePoint at) = 0;
    virtual void reclaim_all(TimePoint at) = 0;
    [[nodiscard]] virtual LeaseTable<>::Granted grant(LeaseTable<>::Covered covered, TimePoint at) = 0;
    virtual void release(std::uint64_t lease) = 0;
    [[nodiscard]] virtual Object* find(const Touch& touch) const noexcept = 0; ///< `EvictionDomain`
    [[nodiscard]] virtual std::uint64_t next_version() noexcept = 0;
    [[nodiscard]] virtual StatsReply stats() const = 0;

    virtual void free(const Object& object, const Extent& extent) = 0;
    virtual void discard_after(Object& object, TimePoint until, TimePoint now) = 0;
    [[nodiscard]] virtual TimePoint until_it_is_quiet(const Object& object, TimePoint now) const = 0;

    [[nodiscard]] virtual bool make_within_quota(std::uint64_t bytes, std::uint64_t objects, TimePoint at,
                                                 SpaceSearch& search) = 0; ///< `Room`; the next two too
    [[nodiscard]] virtual bool make_room(const PlacementRequest& request, SpaceSearch& search, Extents& extents) = 0;
    virtual void taken(const Object& object, const SpaceSearch& search) = 0;
    virtual void pin(Object& object, Pin pin, TimePoint end, TimePoint at) = 0; ///< `end`: of a soft one
    virtual void forget(TenantNumber tenant) = 0;                               ///< `EvictionDomain`; the next too
    [[nodiscard]] virtual SoftPin& soft_pin(const Object& object) = 0;

    virtual void tell(EventKind kind, const Object& object) = 0;
    virtual void bury_unfinished(Object& object, TimePoint now) = 0;
    /// Erases `object` from its shard if `condition` holds under its lock.
    template <class Condition>
    [[nodiscard]] bool erase_if(Object& object, const Condition& condition) {
        auto& shard = shards.of(object.hash);
        const auto lock = std::lock_guard(shard.mutex);
        if (!condition(object)) return false;
        shard.erase(object);
        return true;
    }

    // `SegmentTable`
    [[nodiscard]] virtual Location locate(const std::string& host, const std::string& rack) const = 0;
    [[nodiscard]] virtual std::vector<Location> locate(const std::vector<std::uint32_t>& ids) const = 0;
    [[nodiscard]] virtual std::uint32_t as_large_as(std::uint64_t bytes,
                                                    const std::vector<std::uint32_t>& excluded) const = 0;
    [[nodiscard]] virtual bool takes_writes(const Segment& segment) const noexcept = 0;
    [[nodiscard]] virtual std::size_t taking_writes() const noexcept = 0;
    [[nodiscard]] virtual Result<std::uint64_t> drain(const Drain& message) = 0;

  protected:
    explicit ReplicaSpace(const MasterConfig& master_config)
        : config(master_config), tenants(master_config.limits.max_tenants) {}
    ~ReplicaSpace() = default;
};

} // namespace mooncake::store::detail
