#pragma once

#include <mooncake/store/messages/nothing.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// Tenants: who has how much of a cluster, and may. Whose an object is, its key says: see `tenant_key.hpp`.
namespace mooncake::store {

/// What a tenant may have. Every replica counts, from when its space is given until that is given back.
struct TenantQuota {
    std::uint64_t bytes = 0;        ///< of its objects with all of their replicas; 0: as many as there are
    std::uint64_t objects = 0;      ///< visible or being written; 0: any number
    std::uint64_t pinned_bytes = 0; ///< of those of `bytes` that are hard-pinned; 0: any number
    std::uint32_t weight = 1; ///< 1 … 1,000,000: its share when all is full is by this, of those that have objects
};

/// From now on. A tenant that has more than that keeps it until it puts again.
struct SetQuota {
    static constexpr std::uint32_t method = 25;
    using Reply = Nothing;

    std::string tenant{}; ///< empty: those that name none
    TenantQuota quota{};
};

struct TenantsReply;
/// The tenants that have, or may have, objects.
struct Tenants {
    static constexpr std::uint32_t method = 26;
    using Reply = TenantsReply;
};
struct TenantInfo {
    std::string tenant{}; ///< empty: those that name none
    TenantQuota quota{};
    std::uint64_t bytes = 0; ///< what counts now, as the quota does; the same below
    std::uint64_t objects = 0;
    std::uint64_t pinned_bytes = 0;
    std::uint64_t evictions = 0;     ///< objects of its that went for want of space or quota, since the start
    std::uint64_t evicted_bytes = 0; ///< since the start
    std::uint64_t taken = 0;         ///< of `evictions`, those for objects of other tenants
    std::uint64_t refused = 0;       ///< puts, copies and pins beyond its quota, since the start
};
struct TenantsReply {
    std::vector<TenantInfo> tenants{}; ///< by name
};

} // namespace mooncake::store
