#pragma once

#include <mooncake/store/master/replica_space.hpp>
#include <mooncake/store/master/tenant_numbers.hpp>
#include <mooncake/store/messages/tenants.hpp>

#include <mutex>

namespace mooncake::store::detail {

/// Answers `messages/tenants.hpp`. What each does stands at `Master`.
template <class Void = void> // so that only who runs a master pays for compiling it
class TenantHandlers {
  public:
    explicit TenantHandlers(ReplicaSpace& space) noexcept : space_(space) {}

    [[nodiscard]] Result<Nothing> handle(const SetQuota& message);
    [[nodiscard]] Result<TenantsReply> handle(const Tenants& message);

  private:
    ReplicaSpace& space_;
};

template <class Void>
Result<Nothing> TenantHandlers<Void>::handle(const SetQuota& message) {
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    if (const auto set = set_quota(space_, message.tenant, message.quota); !set) return set.error();
    return Nothing();
}

template <class Void>
Result<TenantsReply> TenantHandlers<Void>::handle(const Tenants&) {
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    return space_.tenants.describe();
}

} // namespace mooncake::store::detail
