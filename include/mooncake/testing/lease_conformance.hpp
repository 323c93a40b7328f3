#pragma once

#include <mooncake/store/lease/concept.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>

namespace mooncake::testing {

/// The least a `LeasePolicy` has. For instantiating templates.
struct MinimalLease {
    [[nodiscard]] Duration duration(const LeaseRequest&) const noexcept { return std::chrono::seconds{1}; }
};

static_assert(LeasePolicy<MinimalLease>);

/// What every `LeasePolicy` must do. Call it from a `TEST_CASE`.
template <LeasePolicy P>
void lease_conformance() {
    SUBCASE("a lease for whatever lasts for some time, and a copy gives the same") {
        const auto policy = P();
        const auto copy = policy;
        constexpr auto most = std::numeric_limits<std::uint64_t>::max();
        for (const auto purpose : {LeasePurpose::read, LeasePurpose::handover, LeasePurpose::renewal})
            for (const auto objects : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4'096}, most})
                for (const auto bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40, most}) {
                    CAPTURE(objects);
                    CAPTURE(bytes);
                    const auto request = LeaseRequest{.purpose = purpose, .objects = objects, .bytes = bytes};
                    const auto duration = policy.duration(request);
                    CHECK(duration > Duration::zero());
                    CHECK(copy.duration(request) == duration);
                }
    }
}

} // namespace mooncake::testing
