#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least an `EvictionPolicy` has: first in, first out. For instantiating templates.
class MinimalEviction {
  public:
    static constexpr std::string_view name = "minimal";

    void insert(Slot slot, const EvictionEntry&) { slots_.push_back(slot); }
    void touch(Slot, TimePoint) {}
    void remove(Slot slot, Departure) { std::erase(slots_, slot); }
    template <class Evictable>
    std::optional<Slot> victim(const Evictable& evictable) {
        const auto found = std::find_if(slots_.begin(), slots_.end(), evictable);
        return found == slots_.end() ? std::nullopt : std::optional(*found);
    }
    std::size_t size() const noexcept { return slots_.size(); }

  private:
    std::vector<Slot> slots_;
};

static_assert(EvictionPolicy<MinimalEviction>);

/// What every `EvictionPolicy` must do, whatever its order. Call it from a `TEST_CASE`; failures name the seed.
template <EvictionPolicy P>
void eviction_conformance() {
    const auto anything = [](Slot) { return true; };
    const auto nothing = [](Slot) { return false; };
    const auto reconsider = [](P& policy, const auto& slots) {
        if constexpr (ReconsideringPolicy<P>)
            for (const auto slot : slots) policy.reconsider(slot);
    };
    const auto sized = [](std::uint64_t bytes) {
        auto policy = P();
        if constexpr (SizedPolicy<P>) policy.capacity(bytes);
        return policy;
    };
    const auto make_room = [](P& policy, const EvictionEntry& entry) {
        if constexpr (ForeseeingPolicy<P>) policy.expect(entry);
    };
    auto now = TimePoint();

    SUBCASE("an empty policy has no victim") {
        auto policy = P();
        CHECK(policy.size() == 0);
        CHECK_FALSE(policy.victim(anything).has_value());
    }

    SUBCASE("a victim stays until it is removed") {
        auto policy = P();
        policy.insert(7, {.key_hash = 70, .bytes = 1});
        CHECK(policy.victim(anything) == Slot{7});
        CHECK(policy.size() == 1);
        CHECK(policy.victim(anything) == Slot{7});
        policy.remove(7, Departure::removed);
        CHECK(policy.size() == 0);
        CHECK_FALSE(policy.victim(anything).has_value());
    }

    SUBCASE("the only evictable slot is found, however often the others were touched or refused") {
        for (Slot only = 0; only < 50; ++only) {
            auto policy = sized(50);
            auto all = std::set<Slot>();
            for (Slot slot = 0; slot < 50; ++slot) all.insert(slot);
            for (const auto slot : all) policy.insert(slot, {.key_hash = slot, .bytes = 1});
            for (Slot slot = 0; slot < 50; ++slot)
                for (Slot times = 0; times < slot % 5; ++times) policy.touch(slot, ++now);
            CHECK_FALSE(policy.victim(nothing).has_value());
            reconsider(policy, all);
            CHECK(policy.victim([&](Slot slot) { return slot == only; }) == only);
            CHECK(policy.size() == 50);
        }
    }

    SUBCASE("every slot goes once when everything is evicted") {
        auto policy = sized(2'000);
        auto present = std::set<Slot>();
        for (Slot slot = 0; slot < 500; ++slot) {
            policy.insert(slot, {.key_hash = slot * 0x9e3779b97f4a7c15, .bytes = 1 + slot % 7, .now = ++now});
            if (slot % 3 == 0) policy.touch(slot, ++now);
            present.insert(slot);
        }
        while (const auto victim = policy.victim(anything)) {
            REQUIRE(present.erase(*victim) == 1);
            policy.remove(*victim, Departure::evicted);
            REQUIRE(policy.size() == present.size());
        }
        CHECK(present.empty());
    }

    SUBCASE("random use: a victim is always present and evictable, and there is one whenever there can be") {
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            auto policy = P();
            auto present = std::set<Slot>();
            for (int step = 0; step < 20'000; ++step, ++now) {
                if constexpr (SizedPolicy<P>)
                    if (step % 4'000 == 1'000) policy.capacity(random() % 2 * 300'000);
                const auto slot = static_cast<Slot>(random() % 300);
                const auto known = present.contains(slot);
                switch (random() % 4) {
                case 0:
                case 1:
                    if (known) {
                        policy.touch(slot, now);
                    } else {
                        // Keys that were here come back; some are said to be useless without others, in a circle if need be.
                        const auto entry = EvictionEntry{.key_hash = 1 + random() % 1000,
                                                         .parent = random() % 1000,
                                                         .bytes = 1 + random() % 4096,
                                                         .now = now,
                                                         .hint = static_cast<ReuseHint>(random() % 3)};
                        if (random() % 2 == 0) make_room(policy, entry);
                        policy.insert(slot, entry);
                        present.insert(slot);
                    }
                    break;
                case 2:
                    if (known) {
                        policy.remove(slot, random() % 2 == 0 ? Departure::removed : Departure::evicted);
                        present.erase(slot);
                    }
                    break;
                case 3: {
                    const auto mask = random() % 4;
                    const auto evictable = [&](Slot at) { return (at & mask) == 0; };
                    make_room(policy, {.key_hash = 1 + random() % 1000, .bytes = 1, .now = now});
                    reconsider(policy, present);
                    const auto victim = policy.victim(evictable);
                    REQUIRE(victim.has_value() == std::any_of(present.begin(), present.end(), evictable));
                    if (!victim) break;
                    REQUIRE(present.contains(*victim));
                    REQUIRE(evictable(*victim));
                    policy.remove(*victim, Departure::evicted);
                    present.erase(*victim);
                    break;
                }
                }
                REQUIRE(policy.size() == present.size());
            }
        }
    }

    SUBCASE("what was passed over comes back when it is reconsidered, and can be used and removed meanwhile") {
        auto policy = sized(100);
        auto present = std::set<Slot>();
        for (Slot slot = 0; slot < 100; ++slot) {
            policy.insert(slot, {.key_hash = slot + 1, .parent = slot % 10, .bytes = 1, .now = ++now});
            present.insert(slot);
        }
        CHECK_FALSE(policy.victim(nothing).has_value());
        for (Slot slot = 0; slot < 100; slot += 3) policy.touch(slot, ++now);
        for (Slot slot = 0; slot < 100; slot += 2) {
            policy.remove(slot, Departure::removed);
            present.erase(slot);
        }
        REQUIRE(policy.size() == present.size());
        reconsider(policy, present);
        reconsider(policy, present); // whoever says so twice does no harm
        while (const auto victim = policy.victim(anything)) {
            REQUIRE(present.erase(*victim) == 1);
            policy.remove(*victim, Departure::evicted);
        }
        CHECK(present.empty());
    }
}

} // namespace mooncake::testing
