// labels: unit, concurrent
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/store/master/eviction_domain.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;

namespace {
std::unique_ptr<Object> object_of(std::uint64_t version, store::Pin pin = store::Pin::none) {
    return std::unique_ptr<Object>(new ("k") Object{
        .hash = version, .key_bytes = 1, .size = 1, .version = version, .pin = pin, .write_deadline = {}});
}
constexpr auto anything = [](const Object&) { return true; };
constexpr auto now = TimePoint();
} // namespace

TEST_CASE("eviction domain: touches left while it was busy come before the next decision, in order") {
    auto domain = EvictionDomain(LruEviction());
    const auto a = object_of(1), b = object_of(2), c = object_of(3);
    auto lock = std::unique_lock(domain.mutex);
    for (auto* object : {a.get(), b.get(), c.get()}) domain.add(*object, {});
    auto toucher = std::thread([&] {
        domain.post(std::array{Touch{a->slot, 1}, Touch{b->slot, 2}}, now);
        domain.post(std::array{Touch{a->slot, 1}}, now);
    });
    toucher.join(); // the domain is held here, and nobody waited for it
    for (const auto* expected : {c.get(), b.get(), a.get()}) {
        REQUIRE(domain.victim(anything, now) == expected);
        domain.remove(*expected, Departure::removed);
    }
    CHECK(domain.victim(anything, now) == nullptr);
}

TEST_CASE("eviction domain: a late touch does not count for who has the slot now") {
    auto domain = EvictionDomain(LruEviction());
    const auto old = object_of(1), heir = object_of(2), other = object_of(3);
    domain.add(*old, {});
    const auto late = Touch{old->slot, 1};
    domain.remove(*old, Departure::removed);
    domain.add(*heir, {});
    domain.add(*other, {});
    CHECK(heir->slot == late.slot);
    CHECK(domain.find(late) == nullptr);
    domain.post(std::array{late}, now);
    CHECK(domain.victim(anything, now) == heir.get());
    domain.post(std::array{Touch{heir->slot, 2}}, now);
    CHECK(domain.victim(anything, now) == other.get());
}

TEST_CASE("eviction domain: a hard pin is in no order") {
    auto domain = EvictionDomain(LruEviction());
    const auto pinned = object_of(1, store::Pin::hard);
    domain.add(*pinned, {});
    domain.touch(*pinned, now);
    CHECK(domain.size() == 1);
    CHECK(domain.victim(anything, now) == nullptr);
    domain.remove(*pinned, Departure::removed);
    CHECK(domain.size() == 0);
}

TEST_CASE("eviction domain: each tenant has an order and slots of its own, and the next with its number begins anew") {
    auto domain = EvictionDomain(LruEviction());
    const auto of = [](std::uint64_t version, TenantNumber tenant) {
        return std::unique_ptr<Object>(new ("k") Object{.hash = version,
                                                        .key_bytes = 1,
                                                        .size = 1,
                                                        .version = version,
                                                        .tenant = tenant,
                                                        .pin = store::Pin::none,
                                                        .write_deadline = {}});
    };
    const auto a = of(1, 0), b = of(2, 3), c = of(3, 3);
    for (auto* object : {a.get(), b.get(), c.get()}) domain.add(*object, {});
    CHECK(b->slot == 0);
    CHECK(domain.size() == 3);
    CHECK(domain.size(3) == 2);
    CHECK(domain.size(2) == 0);
    domain.post(std::array{touch_of(*b)}, now);
    CHECK(domain.victim(anything, now, 3) == c.get());
    CHECK(domain.victim(anything, now, 0) == a.get());
    CHECK(domain.victim(anything, now, 1) == nullptr);
    CHECK(domain.find(touch_of(*c)) == c.get());
    const auto late = touch_of(*c);
    for (const auto* object : {b.get(), c.get()}) domain.remove(*object, Departure::removed);
    domain.forget(3);
    CHECK(domain.find(late) == nullptr);
    const auto heir = of(4, 3);
    domain.add(*heir, {});
    domain.post(std::array{late, touch_of(*heir)}, now);
    CHECK(domain.victim(anything, now, 3) == heir.get());
}

TEST_CASE("eviction domain: soft-pinned objects have an order of their own, behind the other") {
    auto domain = EvictionDomain(LruEviction());
    const auto a = object_of(1), b = object_of(2, store::Pin::soft), c = object_of(3, store::Pin::soft);
    for (auto* object : {a.get(), b.get(), c.get()}) domain.add(*object, {});
    domain.touch(*b, now);
    CHECK(domain.victim(anything, now) == a.get());
    CHECK(domain.victim(anything, now, 0, store::Pin::soft) == c.get());
    domain.pin(*a, store::Pin::soft, {});
    domain.pin(*c, store::Pin::none, {});
    CHECK(domain.victim(anything, now) == c.get());
    CHECK(domain.victim(anything, now, 0, store::Pin::soft) == b.get());
    domain.pin(*b, store::Pin::hard, {});
    CHECK(domain.victim(anything, now, 0, store::Pin::soft) == a.get());
    CHECK(domain.size() == 3);
}

TEST_CASE("eviction domain: what is leased is passed over once, and has its old place when it is not") {
    auto domain = EvictionDomain(LruEviction());
    auto objects = std::vector<std::unique_ptr<Object>>();
    for (std::uint64_t i = 0; i < 6; ++i) domain.add(*objects.emplace_back(object_of(i + 1)), {});
    for (std::size_t i = 0; i < 3; ++i) objects[i]->leases = 1;
    auto asked = 0;
    const auto evictable = [&](const Object& object) {
        ++asked;
        return !object.leased();
    };
    const auto word_of = [&](std::size_t i) { return Touch{objects[i]->slot, i + 1, true}; };
    CHECK(domain.victim(evictable, now) == objects[3].get());
    asked = 0;
    CHECK(domain.victim(evictable, now) == objects[3].get());
    CHECK(asked == 1);
    domain.leave(std::array{word_of(0)}); // untrue: it is passed over again
    CHECK(domain.victim(evictable, now) == objects[3].get());
    objects[1]->leases -= 1;
    objects[2]->leases -= 1;
    domain.leave(std::array{word_of(2), word_of(1)});
    domain.post(std::array{Touch{objects[2]->slot, 3}}, now); // used since: it is the newest
    for (const auto i : {1U, 3U, 4U, 5U, 2U}) {
        REQUIRE(domain.victim(evictable, now) == objects[i].get());
        domain.remove(*objects[i], Departure::removed);
    }
    CHECK(domain.victim(evictable, now) == nullptr);
    domain.remove(*objects[0], Departure::removed);
    CHECK(domain.size() == 0);
}

namespace {
/// Writes down what it is told.
struct ToldEviction : testing::MinimalEviction {
    void insert(Slot slot, const EvictionEntry& entry) {
        MinimalEviction::insert(slot, entry);
        told->push_back("insert " + std::to_string(entry.key_hash) + " under " + std::to_string(entry.parent));
    }
    void touch(Slot, TimePoint at) { told->push_back("touch at " + std::to_string(at.time_since_epoch().count())); }
    void remove(Slot slot, Departure why) {
        MinimalEviction::remove(slot, why);
        told->push_back(why == Departure::evicted ? "evicted" : "removed");
    }
    void capacity(std::uint64_t bytes) { told->push_back("capacity " + std::to_string(bytes)); }
    void expect(const EvictionEntry& entry) { told->push_back("expect " + std::to_string(entry.key_hash)); }

    std::shared_ptr<std::vector<std::string>> told = std::make_shared<std::vector<std::string>>();
};
static_assert(SizedPolicy<ToldEviction> && ForeseeingPolicy<ToldEviction>);
} // namespace

TEST_CASE("eviction domain: a policy is told what comes, when it was used, why it went, and how much room there is") {
    const auto policy = ToldEviction();
    auto domain = EvictionDomain(policy);
    const auto object = object_of(1);
    domain.capacity(100);
    domain.capacity(100); // nothing new
    domain.expect({.key_hash = 1});
    domain.add(*object, {.key_hash = 1, .parent = 7});
    domain.leave(std::array{Touch{object->slot, 1}});
    REQUIRE(domain.victim(anything, now + Duration(5)) == object.get());
    domain.remove(*object, Departure::evicted);
    domain.capacity(200);
    CHECK(*policy.told == std::vector<std::string>{"capacity 100", "expect 1", "insert 1 under 7", "touch at 5",
                                                   "evicted", "capacity 200"});
}
