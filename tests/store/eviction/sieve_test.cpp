// labels: unit, conformance
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include "../../support/reference_trace.hpp"
#include "hit_ratio.hpp"

#include <doctest/doctest.h>

using namespace mooncake;

namespace {
constexpr auto anything = [](Slot) { return true; };
} // namespace

TEST_CASE("eviction: sieve conforms") { testing::eviction_conformance<SieveEviction>(); }

TEST_CASE("sieve: a touched object survives one visit of the hand, and only one") {
    auto sieve = SieveEviction();
    for (Slot slot : {0U, 1U, 2U}) sieve.insert(slot, {});
    sieve.touch(0);
    CHECK(sieve.victim(anything) == Slot{1});
    sieve.remove(1);
    sieve.insert(1, {});
    CHECK(sieve.victim(anything) == Slot{2});
    sieve.remove(2);
    sieve.insert(2, {});
    CHECK(sieve.victim(anything) == Slot{1});
    sieve.remove(1);
    CHECK(sieve.victim(anything) == Slot{2});
    sieve.remove(2);
    CHECK(sieve.victim(anything) == Slot{0});
}

TEST_CASE("sieve: an object that may not go keeps its mark") {
    auto sieve = SieveEviction();
    for (Slot slot : {0U, 1U}) sieve.insert(slot, {});
    sieve.touch(0);
    CHECK(sieve.victim([](Slot slot) { return slot == 1; }) == Slot{1});
    sieve.remove(1);
    sieve.insert(1, {});
    sieve.touch(1);
    sieve.insert(2, {});
    CHECK(sieve.victim(anything) == Slot{2}); // 1 and 0 were marked when the hand came to them
}

TEST_CASE("sieve: hit ratios on the real trace are the reference's") {
    const auto requests = testing::reference_blocks();
    if (requests.empty()) return;
    CHECK(testing::prefix_hit_ratio<SieveEviction>(requests, 1'000) == doctest::Approx(.0481).epsilon(.001));
    CHECK(testing::prefix_hit_ratio<SieveEviction>(requests, 10'000) == doctest::Approx(.1318).epsilon(.0003));
    CHECK(testing::prefix_hit_ratio<SieveEviction>(requests, 50'000) == doctest::Approx(.3438).epsilon(.0003));
}
