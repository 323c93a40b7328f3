// labels: unit, conformance
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

namespace {

struct Whole {
    static constexpr std::string_view name = "whole";
    void insert(Slot, const EvictionEntry&) {}
    void touch(Slot, TimePoint) {}
    void remove(Slot, Departure) {}
    std::optional<Slot> victim(auto) { return {}; }
    std::size_t size() const noexcept { return 0; }
};
struct LacksInsert : Whole {
    void insert(Slot, const EvictionEntry&) = delete;
};
struct LacksTouch : Whole {
    void touch(Slot, TimePoint) = delete;
};
struct LacksRemove : Whole {
    void remove(Slot, Departure) = delete;
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

struct ForgetsTime : Whole {
    void touch(Slot) {}
};
struct AsksNotWhy : Whole {
    void remove(Slot) {}
};
static_assert(!EvictionPolicy<ForgetsTime>);
static_assert(!EvictionPolicy<AsksNotWhy>);

// What is optional is claimed by having it, exactly.
struct Reconsiders : Whole {
    void reconsider(Slot) {}
};
struct ReconsidersAndTells : Whole {
    bool reconsider(Slot) { return true; }
};
struct Sized : Whole {
    void capacity(std::uint64_t) {}
};
struct SizedByCall : Whole {
    std::uint64_t capacity() { return 0; }
};
struct Foresees : Whole {
    void expect(const EvictionEntry&) {}
};
struct ForeseesSlots : Whole {
    void expect(Slot) {}
};
static_assert(!ReconsideringPolicy<Whole> && ReconsideringPolicy<Reconsiders> &&
              !ReconsideringPolicy<ReconsidersAndTells>);
static_assert(!SizedPolicy<Whole> && SizedPolicy<Sized> && !SizedPolicy<SizedByCall>);
static_assert(!ForeseeingPolicy<Whole> && ForeseeingPolicy<Foresees> && !ForeseeingPolicy<ForeseesSlots>);

constexpr auto anything = [](Slot) { return true; };

} // namespace

TEST_CASE("eviction: lru conforms") { testing::eviction_conformance<LruEviction>(); }
TEST_CASE("eviction: the archetype conforms") { testing::eviction_conformance<testing::MinimalEviction>(); }

TEST_CASE("lru: the least recently used goes first, and a touch makes it the last") {
    auto lru = LruEviction();
    for (Slot slot : {3U, 1U, 2U}) lru.insert(slot, {});
    CHECK(lru.victim(anything) == Slot{3});
    lru.touch(3, {});
    CHECK(lru.victim(anything) == Slot{1});
    CHECK(lru.victim([](Slot slot) { return slot != 1; }) == Slot{2});
    lru.remove(1, Departure::evicted);
    lru.remove(2, Departure::evicted);
    CHECK(lru.victim(anything) == Slot{3});
}
