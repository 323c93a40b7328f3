// labels: unit, conformance
#include <mooncake/store/placement/policies.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace mooncake;

namespace {
template <class Policy>
struct Any : AnyPlacement {
    Any() : AnyPlacement(Policy()) {}
};
} // namespace

TEST_CASE("placement: any policy conforms behind one type") {
    SUBCASE("topology") { testing::placement_conformance<Any<TopologyAware>>(); }
    SUBCASE("none given") { testing::placement_conformance<AnyPlacement>(); }
}

TEST_CASE("any placement: each policy is found by its name, and who is not there is told who is") {
    auto known = 0;
    PlacementPolicies::for_each([&]<class Policy>() {
        ++known;
        CHECK(PlacementPolicies::named(Policy::name).value().name == Policy::name);
    });
    CHECK(PlacementPolicies::names().size() == static_cast<std::size_t>(known));
    const auto wrong = PlacementPolicies::named("nearest");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error() == Errc::invalid_argument);
    CHECK(wrong.error().message().find("\"nearest\"") != std::string::npos);
    for (const auto& name : PlacementPolicies::names()) CHECK(wrong.error().message().find(name) != std::string::npos);
    CHECK(AnyPlacement().name == PowerOfTwoChoices::name);
}

TEST_CASE("any placement: what is in it makes the same choices as outside of it") {
    auto candidates = std::vector<SegmentCandidate>();
    for (std::uint32_t i = 0; i < 12; ++i)
        candidates.push_back({.id = i, .at = {.host = i + 1, .rack = i % 3 + 1}, .free_bytes = 9, .capacity = 9});
    PlacementPolicies::for_each([&]<class Policy>() {
        CAPTURE(Policy::name);
        auto any = PlacementPolicies::named(Policy::name).value();
        auto plain = Policy();
        auto of_any = std::vector<std::uint32_t>(), of_plain = of_any;
        for (std::uint32_t round = 0; round < 100; ++round) {
            const auto request =
                PlacementRequest{.bytes = 1, .replicas = 1 + round % 3, .near = candidates[round % 12].at};
            any.choose(candidates, request, of_any);
            plain.choose(candidates, request, of_plain);
            REQUIRE(of_any == of_plain);
        }
    });
}
