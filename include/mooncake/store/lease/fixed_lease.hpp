#pragma once

#include <mooncake/store/lease/concept.hpp>

#include <chrono>

namespace mooncake {

/// Choose this when: in doubt. Every lease lasts as long as any other.
struct FixedLease {
    Duration ttl = std::chrono::seconds{5}; ///< above 0

    [[nodiscard]] Duration duration(const LeaseRequest&) const noexcept { return ttl; }
};

static_assert(LeasePolicy<FixedLease>);

} // namespace mooncake
