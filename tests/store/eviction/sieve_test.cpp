// labels: unit, conformance
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;

namespace {
constexpr auto anything = [](Slot) { return true; };
} // namespace

TEST_CASE("eviction: sieve conforms") { testing::eviction_conformance<SieveEviction>(); }

TEST_CASE("sieve: a touched object survives one visit of the hand, and only one") {
    auto sieve = SieveEviction();
    for (Slot slot : {0U, 1U, 2U}) sieve.insert(slot, {});
    sieve.touch(0, {});
    CHECK(sieve.victim(anything) == Slot{1});
    sieve.remove(1, Departure::evicted);
    sieve.insert(1, {});
    CHECK(sieve.victim(anything) == Slot{2});
    sieve.remove(2, Departure::evicted);
    sieve.insert(2, {});
    CHECK(sieve.victim(anything) == Slot{1});
    sieve.remove(1, Departure::evicted);
    CHECK(sieve.victim(anything) == Slot{2});
    sieve.remove(2, Departure::evicted);
    CHECK(sieve.victim(anything) == Slot{0});
}

TEST_CASE("sieve: an object that may not go keeps its mark") {
    auto sieve = SieveEviction();
    for (Slot slot : {0U, 1U}) sieve.insert(slot, {});
    sieve.touch(0, {});
    CHECK(sieve.victim([](Slot slot) { return slot == 1; }) == Slot{1});
    sieve.remove(1, Departure::evicted);
    sieve.insert(1, {});
    sieve.touch(1, {});
    sieve.insert(2, {});
    CHECK(sieve.victim(anything) == Slot{2}); // 1 and 0 were marked when the hand came to them
}

TEST_CASE("sieve: who gets a slot that was another's has no mark") {
    auto sieve = SieveEviction();
    sieve.insert(0, {});
    sieve.touch(0, {});
    sieve.remove(0, Departure::evicted);
    for (Slot slot : {0U, 1U}) sieve.insert(slot, {});
    CHECK(sieve.victim(anything) == Slot{0});
}

TEST_CASE("sieve: what was passed over is out of the hand's way until it is reconsidered, and then behind the hand") {
    auto sieve = SieveEviction();
    for (Slot slot = 0; slot < 4; ++slot) sieve.insert(slot, {});
    auto asked = std::vector<Slot>();
    const auto victim = [&](Slot least) {
        asked.clear();
        return sieve.victim([&](Slot slot) {
            asked.push_back(slot);
            return slot >= least;
        });
    };
    CHECK(victim(2) == Slot{2});
    CHECK(asked == std::vector<Slot>{0, 1, 2});
    CHECK(victim(0) == Slot{2});
    CHECK(asked == std::vector<Slot>{2});
    CHECK(sieve.size() == 4);
    sieve.reconsider(1);
    sieve.remove(0, Departure::evicted);
    for (Slot slot : {2U, 3U, 1U}) {
        REQUIRE(victim(0) == slot);
        sieve.remove(slot, Departure::evicted);
    }
    CHECK_FALSE(victim(0).has_value());
    CHECK(sieve.size() == 0);
}
