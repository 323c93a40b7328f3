// labels: unit, conformance
#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace mooncake;

static_assert(EvictionPolicy<AnyEviction> && ReconsideringPolicy<AnyEviction> && SizedPolicy<AnyEviction> &&
              ForeseeingPolicy<AnyEviction>);

namespace {
template <class Policy>
struct Any : AnyEviction {
    Any() : AnyEviction(Policy()) {}
};
} // namespace

TEST_CASE("eviction: any policy conforms behind one type, whatever it claims") {
    SUBCASE("lru") { testing::eviction_conformance<Any<LruEviction>>(); }
    SUBCASE("arc") { testing::eviction_conformance<Any<ArcEviction>>(); }
    SUBCASE("none given") { testing::eviction_conformance<AnyEviction>(); }
}

TEST_CASE("any eviction: each policy is found by its name, and who is not there is told who is") {
    auto known = 0;
    EvictionPolicies::for_each([&]<class Policy>() {
        ++known;
        CHECK(EvictionPolicies::named(Policy::name).value().name == Policy::name);
    });
    CHECK(EvictionPolicies::names().size() == static_cast<std::size_t>(known));
    const auto wrong = EvictionPolicies::named("clock");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error() == Errc::invalid_argument);
    CHECK(wrong.error().message().find("\"clock\"") != std::string::npos);
    CHECK(wrong.error().message().find("s3fifo") != std::string::npos);
}

TEST_CASE("any eviction: what a policy is told, and what it decides, passes through") {
    auto any = EvictionPolicies::named("arc").value();
    auto arc = ArcEviction();
    const auto both = [&](const auto& tell) {
        tell(any);
        tell(arc);
    };
    both([](auto& policy) { policy.capacity(4); });
    for (Slot slot = 0; slot < 4; ++slot)
        both([&](auto& policy) { policy.insert(slot, {.key_hash = slot + 1, .bytes = 1}); });
    both([](auto& policy) { policy.touch(2, {}); });
    both([](auto& policy) { policy.remove(0, Departure::evicted); });
    both([](auto& policy) { policy.expect({.key_hash = 1, .bytes = 1}); });
    CHECK(any.victim([](Slot) { return true; }) == arc.victim([](Slot) { return true; }));
    CHECK(any.victim([](Slot slot) { return slot == 3; }) == Slot{3});
    CHECK(any.size() == 3);
}
