// labels: unit concurrent
#include <mooncake/store/client/descriptor_cache.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using store::detail::CachedLease;
using store::detail::CachedObject;
using store::detail::DescriptorCache;

namespace {

const auto start = TimePoint() + 1h;

std::shared_ptr<CachedLease> lease(TimePoint until = start + 10s, CachedLease::Told told = CachedLease::Told::no) {
    return std::make_shared<CachedLease>(7, until, told);
}
CachedObject object(std::string key, std::uint64_t version = 1, std::shared_ptr<CachedLease> under = lease()) {
    auto until = under->trusted_until();
    return {.key = std::move(key),
            .object = {.outcome = Errc::ok, .size = 5, .version = version},
            .term = 3,
            .until = until,
            .lease = std::move(under)};
}
void put(DescriptorCache& cache, CachedObject one, TimePoint now = start) {
    const auto asked = cache.stamp(one.key);
    cache.insert(std::move(one), asked, now);
}
std::uint64_t version(DescriptorCache& cache, const std::string& key, TimePoint now = start) {
    const auto found = cache.find(key, now);
    return found ? found->object.version : 0;
}

} // namespace

TEST_CASE("descriptor cache: what is put in is found by its key, until its lease cannot be trusted any more") {
    auto cache = DescriptorCache(100);
    put(cache, object("a"));
    CHECK(version(cache, "a") == 1);
    CHECK(version(cache, "b") == 0);
    CHECK(version(cache, "a", start + 10s - 1ns) == 1);
    CHECK(version(cache, "a", start + 10s) == 0);
    CHECK(version(cache, "a") == 0); // it went when it was found to be over
    const auto lost = lease();
    put(cache, object("a", 1, lost));
    lost->lose();
    CHECK(version(cache, "a") == 0);
}

TEST_CASE("descriptor cache: a lease that is renewed for a view makes no descriptor last longer") {
    auto cache = DescriptorCache(100);
    const auto renewed = lease();
    put(cache, object("a", 1, renewed));
    renewed->renewed(start + 60s);
    CHECK(version(cache, "a", start + 9s) == 1);
    CHECK(version(cache, "a", start + 10s) == 0);
}

TEST_CASE("descriptor cache: it never holds more than it may, and the one used longest ago makes room") {
    for (const auto most : {1U, 4U, 8U, 100U, 1000U}) {
        CAPTURE(most);
        auto cache = DescriptorCache(most);
        for (auto i = 0; i < 3000; ++i) put(cache, object(std::to_string(i)), start + std::chrono::nanoseconds{i});
        auto found = 0U;
        for (auto i = 0; i < 3000; ++i) found += version(cache, std::to_string(i)) != 0 ? 1 : 0;
        CHECK(found <= most);
        CHECK(found > most / 2);
        CHECK(version(cache, "2999") == 1);
    }
    auto cache = DescriptorCache(2);
    put(cache, object("a"), start);
    put(cache, object("b"), start + 1ms);
    CHECK(version(cache, "a", start + 2ms) == 1);
    put(cache, object("c"), start + 3ms);
    CHECK(version(cache, "a", start + 4ms) == 1);
    CHECK(version(cache, "b", start + 4ms) == 0);
}

TEST_CASE("descriptor cache: what was asked before a write ended is not taken in after it") {
    auto cache = DescriptorCache(100);
    const auto before = cache.stamp("a");
    put(cache, object("a"));
    CHECK(cache.forget("a")->object.version == 1);
    CHECK(version(cache, "a") == 0);
    CHECK(cache.forget("a") == nullptr);
    cache.insert(object("a"), before, start);
    CHECK(version(cache, "a") == 0);
    put(cache, object("a", 2));
    CHECK(version(cache, "a") == 2);
    const auto before_all = cache.stamp("a");
    put(cache, object("b"));
    CHECK(cache.clear().size() == 2);
    cache.insert(object("a", 2), before_all, start);
    CHECK(version(cache, "a") == 0);
    CHECK(version(cache, "b") == 0);
}

TEST_CASE("descriptor cache: an answer that comes late replaces no newer one of the same master") {
    auto cache = DescriptorCache(100);
    put(cache, object("a", 5));
    put(cache, object("a", 4));
    CHECK(version(cache, "a") == 5);
    auto of_another = object("a", 2); // whose numbers mean something else
    of_another.term = 4;
    put(cache, std::move(of_another));
    CHECK(version(cache, "a") == 2);
}

TEST_CASE("descriptor cache: a lease that the caller was told of goes when he ends it, and others stay") {
    auto cache = DescriptorCache(100);
    put(cache, object("mine"));
    cache.end_told(7);
    CHECK(version(cache, "mine") == 1);
    put(cache, object("told", 1, lease(start + 10s, CachedLease::Told::yes)));
    cache.end_told(8);
    CHECK(version(cache, "told") == 1);
    cache.end_told(7);
    CHECK(version(cache, "told") == 0);
    CHECK(version(cache, "mine") == 1);
}

TEST_CASE("descriptor cache: one of no entries is off, and forgets without ado") {
    auto cache = DescriptorCache(0);
    CHECK_FALSE(cache.is_on());
    CHECK(cache.forget("a") == nullptr);
    CHECK(cache.clear().empty());
    cache.end_told(7);
}

TEST_CASE("cached lease: it is renewed while a view is open, and given up only while none is") {
    const auto one = lease();
    auto first = false;
    CHECK_FALSE(one->wanted());
    REQUIRE(one->open_view(first));
    CHECK(first); // nobody watches it yet
    REQUIRE(one->open_view(first));
    CHECK_FALSE(first);
    CHECK(one->wanted());
    CHECK_FALSE(one->give_up());
    CHECK(one->trusted_until() == start + 10s);
    one->close_view();
    one->close_view();
    CHECK_FALSE(one->wanted());
    REQUIRE(one->open_view(first));
    CHECK(first); // it was let be
    one->close_view();
    CHECK(one->give_up());
    CHECK(one->was_given_up());
    CHECK(one->trusted_until() < start);
    CHECK_FALSE(one->open_view(first));
    CHECK_FALSE(one->give_up());
}

TEST_CASE("descriptor cache: whatever several threads do, nobody finds what was replaced before he looked") {
    auto cache = DescriptorCache(64);
    auto current = std::atomic<std::uint64_t>(1); // at the master
    auto known = std::atomic<std::uint64_t>(1);   // to those who wait for the write
    auto wrong = std::atomic<int>(0), hits = std::atomic<int>(0);
    const auto far = start + 1000h;
    auto threads = std::vector<std::jthread>();
    for (auto t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            for (auto i = 0; i < 20'000 || hits == 0; ++i) {
                const auto least = known.load();
                const auto found = cache.find("key", start);
                if (found && found->object.version < least) ++wrong;
                if (found) ++hits;
                const auto asked = cache.stamp("key");
                const auto answer = current.load();
                cache.insert(object("key", answer, lease(far)), asked, start);
                const auto other = std::to_string(i % 100);
                cache.insert(object(other, 1, lease(far)), cache.stamp(other), start);
            }
        });
    for (std::uint64_t next = 2; next < 5'000; ++next) {
        current = next;
        if (next % 100 == 0) (void)cache.clear();
        else (void)cache.forget("key");
        known = next;
    }
    threads.clear();
    CHECK(wrong == 0);
    CHECK(hits > 0);
}
