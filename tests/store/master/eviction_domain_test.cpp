// labels: unit, concurrent
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/store/master/eviction_domain.hpp>

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;

namespace {
std::unique_ptr<Object> object_of(std::uint64_t version, store::Pin pin = store::Pin::none) {
    return std::unique_ptr<Object>(
        new Object{.key = "k", .hash = version, .size = 1, .version = version, .write_deadline = {}, .pin = pin});
}
constexpr auto anything = [](const Object&) { return true; };
} // namespace

TEST_CASE("eviction domain: touches left while it was busy come before the next decision, in order") {
    auto domain = EvictionDomain(LruEviction());
    const auto a = object_of(1), b = object_of(2), c = object_of(3);
    auto lock = std::unique_lock(domain.mutex);
    for (auto* object : {a.get(), b.get(), c.get()}) domain.add(*object);
    auto toucher = std::thread([&] {
        domain.post(std::array{Touch{a->slot, 1}, Touch{b->slot, 2}});
        domain.post(std::array{Touch{a->slot, 1}});
    });
    toucher.join(); // the domain is held here, and nobody waited for it
    for (const auto* expected : {c.get(), b.get(), a.get()}) {
        REQUIRE(domain.victim(anything) == expected);
        domain.remove(*expected);
    }
    CHECK(domain.victim(anything) == nullptr);
}

TEST_CASE("eviction domain: a late touch does not count for who has the slot now") {
    auto domain = EvictionDomain(LruEviction());
    const auto old = object_of(1), heir = object_of(2), other = object_of(3);
    domain.add(*old);
    const auto late = Touch{old->slot, 1};
    domain.remove(*old);
    domain.add(*heir);
    domain.add(*other);
    CHECK(heir->slot == late.slot);
    CHECK(domain.find(late) == nullptr);
    domain.post(std::array{late});
    CHECK(domain.victim(anything) == heir.get());
    domain.post(std::array{Touch{heir->slot, 2}});
    CHECK(domain.victim(anything) == other.get());
}

TEST_CASE("eviction domain: a hard pin is in no order") {
    auto domain = EvictionDomain(LruEviction());
    const auto pinned = object_of(1, store::Pin::hard);
    domain.add(*pinned);
    domain.touch(*pinned);
    CHECK(domain.size() == 1);
    CHECK(domain.victim(anything) == nullptr);
    domain.remove(*pinned);
    CHECK(domain.size() == 0);
}

TEST_CASE("eviction domain: what is leased is passed over once, and has its old place when it is not") {
    auto domain = EvictionDomain(LruEviction());
    auto objects = std::vector<std::unique_ptr<Object>>();
    for (std::uint64_t i = 0; i < 6; ++i) domain.add(*objects.emplace_back(object_of(i + 1)));
    for (std::size_t i = 0; i < 3; ++i) objects[i]->leases = 1;
    auto asked = 0;
    const auto evictable = [&](const Object& object) {
        ++asked;
        return !object.leased();
    };
    const auto word_of = [&](std::size_t i) { return Touch{objects[i]->slot, i + 1, true}; };
    CHECK(domain.victim(evictable) == objects[3].get());
    asked = 0;
    CHECK(domain.victim(evictable) == objects[3].get());
    CHECK(asked == 1);
    domain.leave(std::array{word_of(0)}); // untrue: it is passed over again
    CHECK(domain.victim(evictable) == objects[3].get());
    objects[1]->leases -= 1;
    objects[2]->leases -= 1;
    domain.leave(std::array{word_of(2), word_of(1)});
    domain.post(std::array{Touch{objects[2]->slot, 3}}); // used since: it is the newest
    for (const auto i : {1U, 3U, 4U, 5U, 2U}) {
        REQUIRE(domain.victim(evictable) == objects[i].get());
        domain.remove(*objects[i]);
    }
    CHECK(domain.victim(evictable) == nullptr);
    domain.remove(*objects[0]);
    CHECK(domain.size() == 0);
}
