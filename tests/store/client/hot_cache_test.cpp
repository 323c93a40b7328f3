// labels: unit concurrent
#include <mooncake/store/client/hot_cache.hpp>
#include <mooncake/testing/hot_cache_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>

using namespace mooncake;
using mooncake::testing::hot_value;

TEST_CASE("hot cache: does what every hot cache does") { mooncake::testing::hot_cache_conformance<HotCache>(); }
TEST_CASE("hot cache: so does the least one") {
    mooncake::testing::hot_cache_conformance<mooncake::testing::MinimalHotCache>(1);
}

TEST_CASE("hot cache: what was used longest ago goes when room is wanted") {
    auto cache = HotCache({.bytes = 5 * (HotCache::overhead + 1 + 1000)});
    for (const auto* key : {"a", "b", "c", "d", "e"}) cache.insert(key, hot_value(1, 1000));
    CHECK(cache.find("a")); // which b is not
    cache.insert("f", hot_value(1, 1000));
    CHECK_FALSE(cache.find("b"));
    for (const auto* key : {"a", "c", "d", "e", "f"}) CHECK(cache.find(key));
    cache.insert("c", hot_value(2, 1000)); // in its own place
    for (const auto* key : {"a", "c", "d", "e", "f"}) CHECK(cache.find(key));
}

TEST_CASE("hot cache: never above its bytes, and one large value does not push out all others") {
    constexpr auto most = std::uint64_t{20'000};
    auto cache = HotCache({.bytes = most});
    auto random = std::mt19937_64(3);
    for (int i = 0; i < 5000; ++i) {
        cache.insert("k" + std::to_string(random() % 50), hot_value(1, random() % 6000));
        REQUIRE(cache.bytes() <= most);
    }
    CHECK(cache.bytes() > most / 2);
    cache.clear();
    cache.insert("small", hot_value(1, 100));
    cache.insert("large", hot_value(1, most / 4));
    CHECK_FALSE(cache.find("large"));
    CHECK(cache.find("small"));
    cache.insert("small", hot_value(2, most)); // too large: then not the older one either
    CHECK_FALSE(cache.find("small"));
    CHECK(cache.bytes() == 0);
    auto none = HotCache({.bytes = 0});
    none.insert("k", hot_value(1, 0));
    CHECK_FALSE(none.find("k"));
}

namespace {
struct NoFind {
    struct Config {};
    static constexpr bool keeps = true;
    explicit NoFind(const Config&) {}
    void insert(std::string_view, const HotValue&) {}
    void forget(std::string_view) {}
    void clear() {}
    std::uint64_t bytes() const { return 0; }
};
struct NoKeeps : NoHotCache {
    using NoHotCache::NoHotCache;
    void keeps() {}
};
struct NoBytes : NoHotCache {
    using NoHotCache::NoHotCache;
    int bytes() const { return 0; }
};
struct NoForget : NoHotCache {
    using NoHotCache::NoHotCache;
    int forget(std::string_view) { return 0; }
};
} // namespace
static_assert(!HotCachePolicy<NoFind>);
static_assert(!HotCachePolicy<NoKeeps>);
static_assert(!HotCachePolicy<NoBytes>);
static_assert(!HotCachePolicy<NoForget>);
