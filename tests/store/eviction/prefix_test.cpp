// labels: unit, conformance
#include <mooncake/serving/workload.hpp>
#include <mooncake/store/eviction/arc.hpp>
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/store/eviction/prefix.hpp>
#include <mooncake/store/eviction/replay.hpp>
#include <mooncake/store/eviction/s3_fifo.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include "../../support/reference_trace.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace mooncake;

namespace {

using Requests = std::vector<std::vector<std::uint64_t>>;
constexpr auto anything = [](Slot) { return true; };

template <class Policy>
double ratio(const Requests& requests, std::size_t blocks) {
    auto replay = EvictionReplay<Policy>(blocks);
    for (const auto& request : requests) (void)replay.request(request);
    return replay.hit_ratio();
}

/// Slots `0 … count - 1`, each a child of the one before.
PrefixEviction chain(Slot count) {
    auto policy = PrefixEviction();
    policy.capacity(1'000);
    for (Slot slot = 0; slot < count; ++slot) policy.insert(slot, {.key_hash = slot + 1, .parent = slot, .bytes = 1});
    return policy;
}

} // namespace

TEST_CASE("eviction: prefix conforms") { testing::eviction_conformance<PrefixEviction>(); }

TEST_CASE("prefix: a chain goes from its tail, however it was used") {
    auto policy = chain(100);
    for (Slot slot = 50; slot < 100; ++slot) policy.touch(slot, {});
    for (Slot slot = 100; slot-- != 0;) {
        REQUIRE(policy.victim(anything) == slot);
        policy.remove(slot, Departure::evicted);
    }
    CHECK_FALSE(policy.victim(anything).has_value());
}

TEST_CASE("prefix: who lost its parent goes before all others, and no longer once the parent is back") {
    auto policy = chain(10);
    policy.insert(20, {.key_hash = 100, .parent = 99, .bytes = 1});
    policy.insert(21, {.key_hash = 101, .parent = 100, .bytes = 1}); // useless as well
    policy.insert(22, {.key_hash = 102, .bytes = 1});
    CHECK(policy.victim(anything) == Slot{21});
    policy.insert(19, {.key_hash = 99, .bytes = 1});
    policy.touch(20, {});
    policy.touch(21, {});
    auto gone = std::vector<Slot>();
    while (const auto victim = policy.victim(anything)) {
        gone.push_back(*victim);
        policy.remove(*victim, Departure::evicted);
    }
    const auto place = [&](Slot slot) { return std::find(gone.begin(), gone.end(), slot) - gone.begin(); };
    CHECK(gone.size() == 14);
    CHECK(place(21) < place(20));
    CHECK(place(20) < place(19));
}

TEST_CASE("prefix: what needs a block that is leased keeps it from going, and what is passed over no longer does") {
    auto policy = chain(3);
    const auto all_but = [](Slot leased) { return [leased](Slot slot) { return slot != leased; }; };
    CHECK(policy.victim(all_but(2)) == Slot{1}); // the tail is leased: the one before it is all there is
    policy.reconsider(2);
    CHECK(policy.victim(anything) == Slot{2});
    CHECK(policy.victim(all_but(2)) == Slot{1});
    policy.touch(2, {});
    CHECK(policy.victim(anything) == Slot{2});
}

TEST_CASE("prefix: a slot's next tenant is nobody's parent") {
    auto policy = chain(2);
    policy.remove(0, Departure::removed); // by somebody who wanted that, though slot 1 needs it
    policy.insert(0, {.key_hash = 50, .bytes = 1});
    policy.remove(1, Departure::removed);
    CHECK(policy.victim(anything) == Slot{0});
    policy.remove(0, Departure::evicted);
    CHECK(policy.size() == 0);
}

TEST_CASE("prefix: without parents it still learns what returns: a loop and a flood of what is used once") {
    auto requests = Requests();
    auto once = std::uint64_t{1'000'000};
    for (int round = 0; round < 400; ++round)
        for (std::uint64_t id = 0; id < 50; ++id) {
            requests.push_back({id});
            for (int flood = 0; flood < 4; ++flood) requests.push_back({++once});
        }
    CHECK(ratio<LruEviction>(requests, 100) < .01);
    CHECK(ratio<PrefixEviction>(requests, 100) > .15); // .2 is all there is
}

TEST_CASE("prefix: hit ratios on real traces are not below the best of the others, and are what they were") {
    const auto conversation = testing::reference_blocks<std::uint64_t>();
    const auto agentic = testing::reference_blocks<std::uint64_t>(testing::agentic_trace());
    if (conversation.empty() || agentic.empty()) return;
    CHECK(ratio<PrefixEviction>(conversation, 1'000) >= .083);
    CHECK(ratio<PrefixEviction>(conversation, 5'000) >= .170);
    CHECK(ratio<PrefixEviction>(conversation, 10'000) >= .226);
    CHECK(ratio<PrefixEviction>(agentic, 1'000) >= .122);
    CHECK(ratio<PrefixEviction>(agentic, 10'000) >= .800);
}

TEST_CASE("prefix: on what it was never tried on, it is not below the best of LRU and ARC by more than .01") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        auto requests = Requests();
        for (auto& request : generate_workload({.requests = 3'000, .seed = seed}).value())
            requests.push_back(std::move(request.hash_ids));
        for (const auto blocks : {1'000, 5'000, 10'000}) {
            CAPTURE(blocks);
            const auto room = static_cast<std::size_t>(blocks);
            const auto others = std::max(ratio<LruEviction>(requests, room), ratio<ArcEviction>(requests, room));
            CHECK(ratio<PrefixEviction>(requests, room) >= others - .01);
        }
    }
}
