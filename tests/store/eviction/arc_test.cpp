// labels: unit, conformance
#include <mooncake/store/eviction/arc.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

namespace {
constexpr auto anything = [](Slot) { return true; };
} // namespace

TEST_CASE("eviction: arc conforms") { testing::eviction_conformance<ArcEviction>(); }

TEST_CASE("arc: at first what was used once goes; its ghosts that come back make room for such") {
    auto arc = ArcEviction();
    arc.capacity(4);
    for (Slot slot = 0; slot < 4; ++slot) arc.insert(slot, {.key_hash = slot + 1, .bytes = 1});
    arc.touch(2, {}); // used often: 2 and 3
    arc.touch(3, {});
    REQUIRE(arc.victim(anything) == Slot{0});
    arc.remove(0, Departure::evicted);
    arc.expect({.key_hash = 1, .bytes = 1}); // a ghost: what is used once is to have a byte
    CHECK(arc.victim(anything) == Slot{2});
    arc.remove(2, Departure::evicted);
    arc.insert(0, {.key_hash = 1, .bytes = 1});
    arc.expect({.key_hash = 3, .bytes = 1}); // the other ghost: it is to have none
    CHECK(arc.victim(anything) == Slot{1});
}

TEST_CASE("arc: a return teaches once, whether or not room had to be made for it") {
    auto told = ArcEviction(), untold = ArcEviction();
    for (auto* arc : {&told, &untold}) {
        arc->capacity(8);
        for (Slot slot = 0; slot < 4; ++slot) arc->insert(slot, {.key_hash = slot + 1, .bytes = 1});
        arc->touch(3, {});
        arc->remove(0, Departure::evicted);
        if (arc == &told) arc->expect({.key_hash = 1, .bytes = 1});
        arc->insert(0, {.key_hash = 1, .bytes = 1});
        // One byte is what `once` aims at, and it has two.
        REQUIRE(arc->victim(anything) == Slot{1});
        arc->remove(1, Departure::removed);
        CHECK(arc->victim(anything) == Slot{3});
    }
}
