// labels: unit, conformance
#include <mooncake/store/eviction/w_tiny_lfu.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>

using namespace mooncake;

TEST_CASE("eviction: wtinylfu conforms") { testing::eviction_conformance<WTinyLfuEviction>(); }

TEST_CASE("wtinylfu: who was seen more often than the oldest on probation takes its place, and others do not") {
    constexpr auto anything = [](Slot) { return true; };
    auto policy = WTinyLfuEviction();
    policy.capacity(100); // one of them in the window
    for (Slot slot = 0; slot < 100; ++slot) policy.insert(slot, {.key_hash = slot + 1, .bytes = 1});
    CHECK(policy.victim(anything) == Slot{99}); // as often seen as slot 0, and not more often
    for (int uses = 0; uses < 3; ++uses) policy.touch(99, {});
    CHECK(policy.victim(anything) == Slot{0});
    policy.remove(0, Departure::evicted);
    policy.insert(0, {.key_hash = 1'000, .bytes = 1});
    CHECK(policy.victim(anything) == Slot{0});
    policy.touch(1, {}); // protected now
    policy.touch(0, {});
    policy.touch(0, {});
    CHECK(policy.victim(anything) == Slot{2});
}

TEST_CASE("frequency sketch: counts up to 15, keeps what it counted when it grows, and forgets by half") {
    auto sketch = store::detail::FrequencySketch();
    sketch.fit(1'000);
    for (std::uint64_t hash = 1; hash <= 20; ++hash)
        for (std::uint64_t times = 0; times < hash; ++times) sketch.add(hash * 0x9e3779b97f4a7c15);
    for (std::uint64_t hash = 1; hash <= 20; ++hash)
        CHECK(sketch.estimate(hash * 0x9e3779b97f4a7c15) == std::min<std::uint64_t>(hash, 15));
    sketch.fit(10'000);
    for (std::uint64_t hash = 1; hash <= 20; ++hash)
        CHECK(sketch.estimate(hash * 0x9e3779b97f4a7c15) == std::min<std::uint64_t>(hash, 15));
    for (std::uint64_t i = 0; i < 100'000; ++i) sketch.add((i + 1'000) * 0xd6e8feb86659fd93);
    CHECK(sketch.estimate(15 * 0x9e3779b97f4a7c15) < 15);
    CHECK(sketch.estimate(15 * 0x9e3779b97f4a7c15) >= 7);
}
