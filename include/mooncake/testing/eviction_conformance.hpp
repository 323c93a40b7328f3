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
    void touch(Slot) {}
    void remove(Slot slot) { std::erase(slots_, slot); }
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
        policy.remove(7);
        CHECK(policy.size() == 0);
        CHECK_FALSE(policy.victim(anything).has_value());
    }

    SUBCASE("the only evictable slot is found, however often the others were touched or refused") {
        for (Slot only = 0; only < 50; ++only) {
            auto policy = P();
            auto all = std::set<Slot>();
            for (Slot slot = 0; slot < 50; ++slot) all.insert(slot);
            for (const auto slot : all) policy.insert(slot, {.key_hash = slot, .bytes = 1});
            for (Slot slot = 0; slot < 50; ++slot)
                for (Slot times = 0; times < slot % 5; ++times) policy.touch(slot);
            CHECK_FALSE(policy.victim(nothing).has_value());
            reconsider(policy, all);
            CHECK(policy.victim([&](Slot slot) { return slot == only; }) == only);
            CHECK(policy.size() == 50);
        }
    }

    SUBCASE("every slot goes once when everything is evicted") {
        auto policy = P();
        auto present = std::set<Slot>();
        for (Slot slot = 0; slot < 500; ++slot) {
            policy.insert(slot, {.key_hash = slot * 0x9e3779b97f4a7c15, .bytes = 1 + slot % 7});
            if (slot % 3 == 0) policy.touch(slot);
            present.insert(slot);
        }
        while (const auto victim = policy.victim(anything)) {
            REQUIRE(present.erase(*victim) == 1);
            policy.remove(*victim);
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
            for (int step = 0; step < 20'000; ++step) {
                const auto slot = static_cast<Slot>(random() % 300);
                const auto known = present.contains(slot);
                switch (random() % 4) {
                case 0:
                case 1:
                    if (known) {
                        policy.touch(slot);
                    } else {
                        policy.insert(slot, {.key_hash = random() % 1000, .bytes = 1 + random() % 4096});
                        present.insert(slot);
                    }
                    break;
                case 2:
                    if (known) {
                        policy.remove(slot);
                        present.erase(slot);
                    }
                    break;
                case 3: {
                    const auto mask = random() % 4;
                    const auto evictable = [&](Slot at) { return (at & mask) == 0; };
                    reconsider(policy, present);
                    const auto victim = policy.victim(evictable);
                    REQUIRE(victim.has_value() == std::any_of(present.begin(), present.end(), evictable));
                    if (!victim) break;
                    REQUIRE(present.contains(*victim));
                    REQUIRE(evictable(*victim));
                    policy.remove(*victim);
                    present.erase(*victim);
                    break;
                }
                }
                REQUIRE(policy.size() == present.size());
            }
        }
    }
}

} // namespace mooncake::testing
