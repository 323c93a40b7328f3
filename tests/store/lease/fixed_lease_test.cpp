// labels: unit conformance
#include <mooncake/store/lease/fixed_lease.hpp>
#include <mooncake/testing/lease_conformance.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {
struct LacksDuration {};
struct MayThrow {
    Duration duration(const LeaseRequest&) const { return 1s; }
};
struct InMilliseconds {
    std::chrono::milliseconds duration(const LeaseRequest&) const noexcept { return 1s; }
};
struct Mutates {
    Duration duration(const LeaseRequest&) noexcept { return 1s; }
};
static_assert(!LeasePolicy<LacksDuration>);
static_assert(!LeasePolicy<MayThrow>);
static_assert(!LeasePolicy<InMilliseconds>);
static_assert(!LeasePolicy<Mutates>);
} // namespace

TEST_CASE("lease: a fixed lease does what every policy does") { testing::lease_conformance<FixedLease>(); }

TEST_CASE("lease: the least policy does what every policy does") {
    testing::lease_conformance<testing::MinimalLease>();
}

TEST_CASE("lease: a fixed lease lasts as long as it was told, whatever it is for") {
    CHECK(FixedLease{}.duration({}) == 5s);
    CHECK(FixedLease{.ttl = 20ms}.duration({.purpose = LeasePurpose::renewal, .objects = 9, .bytes = 9}) == 20ms);
}
