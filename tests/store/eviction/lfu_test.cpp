// labels: unit, conformance
#include <mooncake/store/eviction/lfu.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("eviction: lfu conforms") { testing::eviction_conformance<LfuEviction>(); }

TEST_CASE("lfu: the least used goes first, of those the least recently used, and who comes back begins anew") {
    constexpr auto anything = [](Slot) { return true; };
    auto lfu = LfuEviction();
    for (Slot slot : {0U, 1U, 2U}) lfu.insert(slot, {});
    for (Slot slot : {2U, 1U, 0U, 0U}) lfu.touch(slot, {});
    CHECK(lfu.victim(anything) == Slot{2});
    lfu.touch(2, {});
    CHECK(lfu.victim(anything) == Slot{1});
    lfu.remove(0, Departure::evicted);
    lfu.insert(0, {});
    CHECK(lfu.victim(anything) == Slot{0});
    CHECK(lfu.victim([](Slot slot) { return slot == 2; }) == Slot{2});
    lfu.touch(1, {}); // used while it was passed over: twice, and later than slot 2
    lfu.reconsider(1);
    CHECK(lfu.victim(anything) == Slot{2});
}
