// labels: unit, conformance
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include "../../support/reference_trace.hpp"
#include "hit_ratio.hpp"

#include <doctest/doctest.h>

using namespace mooncake;

namespace {

struct Whole {
    static constexpr std::string_view name = "whole";
    void insert(Slot, const EvictionEntry&) {}
    void touch(Slot) {}
    void remove(Slot) {}
    std::optional<Slot> victim(auto) { return {}; }
    std::size_t size() const noexcept { return 0; }
};
struct LacksInsert : Whole {
    void insert(Slot, const EvictionEntry&) = delete;
};
struct LacksTouch : Whole {
    void touch(Slot) = delete;
};
struct LacksRemove : Whole {
    void remove(Slot) = delete;
};
struct LacksVictim : Whole {
    std::optional<Slot> victim(auto) = delete;
};
struct LacksSize : Whole {
    std::size_t size() const noexcept = delete;
};
struct LacksName : Whole {
    static constexpr int name = 0;
};
struct VictimIsNotOptional : Whole {
    Slot victim(auto) { return 0; }
};
struct NeedsCapacity : Whole {
    explicit NeedsCapacity(int) {}
};

static_assert(EvictionPolicy<Whole>);
static_assert(!EvictionPolicy<LacksInsert>);
static_assert(!EvictionPolicy<LacksTouch>);
static_assert(!EvictionPolicy<LacksRemove>);
static_assert(!EvictionPolicy<LacksVictim>);
static_assert(!EvictionPolicy<LacksSize>);
static_assert(!EvictionPolicy<LacksName>);
static_assert(!EvictionPolicy<VictimIsNotOptional>);
static_assert(!EvictionPolicy<NeedsCapacity>);

constexpr auto anything = [](Slot) { return true; };

} // namespace

TEST_CASE("eviction: lru conforms") { testing::eviction_conformance<LruEviction>(); }
TEST_CASE("eviction: the archetype conforms") { testing::eviction_conformance<testing::MinimalEviction>(); }

TEST_CASE("lru: the least recently used goes first, and a touch makes it the last") {
    auto lru = LruEviction();
    for (Slot slot : {3U, 1U, 2U}) lru.insert(slot, {});
    CHECK(lru.victim(anything) == Slot{3});
    lru.touch(3);
    CHECK(lru.victim(anything) == Slot{1});
    CHECK(lru.victim([](Slot slot) { return slot != 1; }) == Slot{2});
    lru.remove(1);
    lru.remove(2);
    CHECK(lru.victim(anything) == Slot{3});
}

TEST_CASE("lru: hit ratios on the real trace are the reference's") {
    const auto requests = testing::reference_blocks();
    if (requests.empty()) return;
    CHECK(testing::prefix_hit_ratio<LruEviction>(requests, 1'000) == doctest::Approx(.0445).epsilon(.001));
    CHECK(testing::prefix_hit_ratio<LruEviction>(requests, 10'000) == doctest::Approx(.2112).epsilon(.0003));
    CHECK(testing::prefix_hit_ratio<LruEviction>(requests, 50'000) == doctest::Approx(.3546).epsilon(.0003));
}
