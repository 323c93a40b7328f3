// labels: unit, conformance
#include <mooncake/store/eviction/fifo.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("eviction: fifo conforms") { testing::eviction_conformance<FifoEviction>(); }

TEST_CASE("fifo: the oldest goes first, used or not; what was passed over is the oldest again") {
    auto fifo = FifoEviction();
    for (Slot slot : {3U, 1U, 2U}) fifo.insert(slot, {.bytes = 1});
    fifo.touch(3, {});
    CHECK(fifo.victim([](Slot) { return true; }) == Slot{3});
    CHECK(fifo.victim([](Slot slot) { return slot == 2; }) == Slot{2});
    fifo.reconsider(3);
    fifo.reconsider(1);
    CHECK(fifo.victim([](Slot) { return true; }) == Slot{1});
    fifo.remove(1, Departure::evicted);
    CHECK(fifo.victim([](Slot) { return true; }) == Slot{3});
}
