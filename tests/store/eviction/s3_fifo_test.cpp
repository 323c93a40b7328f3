// labels: unit, conformance
#include <mooncake/store/eviction/s3_fifo.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

namespace {
constexpr auto anything = [](Slot) { return true; };
} // namespace

TEST_CASE("eviction: s3fifo conforms") { testing::eviction_conformance<S3FifoEviction>(); }

TEST_CASE("s3fifo: who is used once on the way through the small queue goes, who is used twice stays") {
    auto policy = S3FifoEviction();
    policy.capacity(10);
    for (Slot slot = 0; slot < 10; ++slot) policy.insert(slot, {.key_hash = slot + 1, .bytes = 1});
    policy.touch(0, {});
    for (int twice = 0; twice < 2; ++twice) policy.touch(1, {});
    for (Slot slot : {0U, 2U, 3U}) {
        REQUIRE(policy.victim(anything) == slot);
        policy.remove(slot, Departure::evicted);
    }
}

TEST_CASE("s3fifo: a ghost comes back into the main queue; what was removed leaves no ghost") {
    const auto first_to_go_after = [](Departure why) {
        auto policy = S3FifoEviction();
        policy.capacity(10);
        for (Slot slot = 0; slot < 10; ++slot) policy.insert(slot, {.key_hash = slot + 1, .bytes = 1});
        policy.remove(0, why);
        policy.insert(0, {.key_hash = 1, .bytes = 1});
        for (Slot slot = 1; slot < 9; ++slot) policy.remove(slot, Departure::removed);
        return policy.victim(anything).value(); // slot 9 is in the small queue, slot 0 behind it or in the main one
    };
    CHECK(first_to_go_after(Departure::evicted) == 9);
    CHECK(first_to_go_after(Departure::removed) == 9);
    auto policy = S3FifoEviction();
    policy.capacity(10);
    for (Slot slot = 0; slot < 2; ++slot) policy.insert(slot, {.key_hash = slot + 1, .bytes = 1});
    policy.remove(0, Departure::evicted);
    policy.insert(0, {.key_hash = 1, .bytes = 1}); // main
    policy.insert(2, {.key_hash = 3, .bytes = 1}); // small, and newer
    for (Slot slot : {1U, 2U, 0U}) {
        REQUIRE(policy.victim(anything) == slot);
        policy.remove(slot, Departure::removed);
    }
    policy.insert(0, {.key_hash = 2, .bytes = 1}); // removed before: no ghost
    policy.insert(1, {.key_hash = 9, .bytes = 1});
    CHECK(policy.victim(anything) == Slot{0});
}
