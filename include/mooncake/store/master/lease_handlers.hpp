#pragma once

#include <mooncake/store/master/space.hpp>
#include <mooncake/store/messages/leases.hpp>

#include <vector>

namespace mooncake::store::detail {

/// Answers `messages/leases.hpp`. What each does stands at `Master`.
template <MasterTraitsLike Traits>
class LeaseHandlers {
  public:
    explicit LeaseHandlers(Space<Traits>& space) noexcept : space_(space) {}

    [[nodiscard]] Result<Nothing> handle(const Release& message) {
        auto all = true;
        auto freed = std::vector<Touch>();
        LeaseTable<>::with_ends(now(), space_.lease_policy, [&](LeaseTable<>::Ends* ends) {
            for (const auto lease : message.leases) all &= space_.leases.release(lease, freed, ends);
            return all;
        });
        space_.domain.leave(freed);
        if (!all) return Errc::lease_expired;
        return Nothing();
    }

    [[nodiscard]] Result<RenewReply> handle(const Renew& message) {
        const auto left = space_.leases.renew(message.lease, space_.now(), space_.lease_policy);
        if (!left) return Errc::lease_expired;
        return RenewReply{.ttl_ms = whole_milliseconds(*left)};
    }

    [[nodiscard]] Result<RenewManyReply> handle(const RenewMany& message) {
        auto reply = RenewManyReply{};
        reply.ttls_ms.reserve(message.leases.size());
        const auto at = space_.now();
        for (const auto lease : message.leases) {
            const auto left = space_.leases.renew(lease, at, space_.lease_policy);
            reply.ttls_ms.push_back(left ? whole_milliseconds(*left) : 0);
        }
        return reply;
    }

  private:
    /// Where nobody learns from it, nobody looks at a clock.
    [[nodiscard]] TimePoint now() const {
        if constexpr (LearningLeasePolicy<typename Traits::Lease>) return space_.now();
        else return {};
    }

    Space<Traits>& space_;
};

} // namespace mooncake::store::detail
