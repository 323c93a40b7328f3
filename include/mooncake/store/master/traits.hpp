#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/store/journal/no_journal.hpp>
#include <mooncake/store/lease/fixed_lease.hpp>
#include <mooncake/store/limits.hpp>
#include <mooncake/store/placement/power_of_two.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace mooncake {

/// The parts of a master. Change one at a time: `struct Mine : DefaultMasterTraits { using Eviction = SieveEviction;
/// };`
struct DefaultMasterTraits {
    using Allocator = OffsetAllocator; ///< one instance a segment
    using Eviction = LruEviction;      ///< one instance an eviction domain
    using Lease = FixedLease;
    using Placement = PowerOfTwoChoices;
    using Journal = NoJournal; ///< `EventRing` where somebody follows what happens
    using Clock = SteadyClock;
};

template <class T>
concept MasterTraitsLike =
    SpaceAllocator<typename T::Allocator> && EvictionPolicy<typename T::Eviction> && LeasePolicy<typename T::Lease> &&
    PlacementPolicy<typename T::Placement> && Journal<typename T::Journal> && Clock<typename T::Clock>;

static_assert(MasterTraitsLike<DefaultMasterTraits>);

template <MasterTraitsLike Traits = DefaultMasterTraits>
class Master;

/// The instances a master starts with.
template <MasterTraitsLike Traits = DefaultMasterTraits>
struct MasterParts {
    typename Traits::Eviction eviction{};
    typename Traits::Lease lease{};
    typename Traits::Placement placement{};
    typename Traits::Journal journal{};
    typename Traits::Clock clock{};
};

/// What one tenant may have from the start on.
struct TenantConfig {
    std::string name{}; ///< empty: those that name none
    store::TenantQuota quota{};
};

struct MasterConfig {
    Duration segment_ttl = std::chrono::seconds{
        3}; ///< a segment without a heartbeat for longer is dropped; above 0; `Duration::max()`: never
    Duration skew =
        std::chrono::milliseconds{500}; ///< how long after its deadline a writer may still be writing; 0 or more
    store::Limits limits{};
    std::vector<TenantConfig> tenants{}; ///< each at most once; others may come, and have no quota until it is set
};

/// Errors: `invalid_argument`, naming the field.
[[nodiscard]] inline Result<void> validate(const MasterConfig& config) {
    if (config.segment_ttl <= Duration::zero())
        return Error(Errc::invalid_argument, "MasterConfig::segment_ttl must be above 0");
    if (config.skew < Duration::zero()) return Error(Errc::invalid_argument, "MasterConfig::skew must not be negative");
    if (config.skew > std::chrono::hours{1})
        return Error(Errc::invalid_argument, "MasterConfig::skew is above an hour");
    if (config.limits.max_keys == 0)
        return Error(Errc::invalid_argument, "MasterConfig::limits.max_keys must be above 0");
    if (config.limits.max_key_bytes == 0)
        return Error(Errc::invalid_argument, "MasterConfig::limits.max_key_bytes must be above 0");
    if (config.limits.max_tenants == 0 || config.limits.max_tenants > 65'536)
        return Error(Errc::invalid_argument, "MasterConfig::limits.max_tenants must be 1 to 65536");
    if (config.tenants.size() >= config.limits.max_tenants && !config.tenants.empty())
        return Error(Errc::invalid_argument, "MasterConfig::tenants has " + std::to_string(config.tenants.size()) +
                                                 ", which must be fewer than limits.max_tenants, " +
                                                 std::to_string(config.limits.max_tenants));
    for (const auto& [name, quota] : config.tenants)
        if (auto valid = store::detail::check_quota("MasterConfig::tenants", name, quota); !valid) return valid;
    return ok;
}

} // namespace mooncake
