#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/store/master/tenant_table.hpp>

#include <optional>
#include <string_view>

namespace mooncake::store::detail {

// Of a `ReplicaSpace`; templates so that only who runs a master pays for compiling them.

/// None: there are too many.
template <class Space>
[[nodiscard]] std::optional<TenantNumber> tenant_number(Space& space, std::string_view name) {
    return space.tenants.number_of(name, [&](TenantNumber number) { space.forget(number); });
}

/// Of that tenant, from now on. Errors: `quota` (there are too many).
template <class Space>
Result<void> set_quota(Space& space, std::string_view name, const TenantQuota& quota) {
    const auto number = tenant_number(space, name);
    if (!number) return Error(Errc::quota, describe_too_many_tenants(space.tenants.most()));
    auto& tenant = space.tenants[*number];
    tenant.quota = quota;
    tenant.kept =
        quota.bytes != 0 || quota.objects != 0 || quota.pinned_bytes != 0 || quota.weight != TenantQuota().weight;
    return ok;
}

} // namespace mooncake::store::detail
