#pragma once

#include <mooncake/store/client/hot_cache.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace mooncake::testing {

/// The least a `HotCachePolicy` has: it keeps the last value. For instantiating templates; for one thread.
class MinimalHotCache {
  public:
    struct Config {};
    static constexpr bool keeps = true;

    explicit MinimalHotCache(const Config&) {}
    HotValue find(std::string_view key) { return key == key_ ? value_ : HotValue(); }
    void insert(std::string_view key, HotValue value) {
        key_ = key;
        value_ = std::move(value);
    }
    void forget(std::string_view key) {
        if (key == key_) clear();
    }
    void clear() { value_ = {}; }
    std::uint64_t bytes() const { return value_ ? value_.size() : 0; }

  private:
    std::string key_;
    HotValue value_;
};
static_assert(HotCachePolicy<MinimalHotCache>);

/// A value of `version`, all of whose bytes say so.
inline HotValue hot_value(std::uint64_t version, std::size_t bytes) {
    return {.version = version,
            .data = std::make_shared<const std::vector<std::byte>>(bytes, static_cast<std::byte>(version))};
}

/// What every `HotCachePolicy` that keeps something must do. `Cache`: default-constructed from its `Config`, it keeps at least one
/// value of a KiB. `threads`: 1 for one that is not to be shared.
template <HotCachePolicy Cache>
void hot_cache_conformance(int threads = 4) {
    static_assert(Cache::keeps);
    auto cache = Cache(typename Cache::Config());

    SUBCASE("what came last is found, and nothing of other keys") {
        CHECK_FALSE(cache.find("a"));
        CHECK(cache.bytes() == 0);
        const auto value = hot_value(7, 1024);
        cache.insert("a", value);
        const auto found = cache.find("a");
        REQUIRE(found);
        CHECK(found.version == 7);
        CHECK(found.data == value.data); // the bytes themselves
        CHECK(cache.bytes() >= 1024);
        CHECK_FALSE(cache.find("b"));
        CHECK_FALSE(cache.find(""));
        CHECK_FALSE(cache.find(std::string_view("a\0", 2)));
    }

    SUBCASE("a version takes the place of another, older or newer") {
        for (const auto version : {5U, 9U, 3U}) {
            cache.insert("a", hot_value(version, 100 + version));
            const auto found = cache.find("a");
            REQUIRE(found);
            CHECK(found.version == version);
            CHECK(found.size() == 100 + version);
        }
    }

    SUBCASE("what is forgotten is gone, and its bytes with it; who has it keeps it") {
        cache.insert("a", hot_value(1, 1000));
        const auto held = cache.find("a");
        cache.forget("other");
        CHECK(cache.find("a"));
        cache.forget("a");
        cache.forget("a");
        CHECK_FALSE(cache.find("a"));
        CHECK(cache.bytes() == 0);
        REQUIRE(held);
        CHECK(held.bytes().back() == std::byte{1});
        cache.insert("a", hot_value(2, 0)); // of no bytes, and a value all the same
        CHECK(cache.find("a"));
        cache.clear();
        CHECK_FALSE(cache.find("a"));
        CHECK(cache.bytes() == 0);
    }

    SUBCASE("threads find whole values, of the version they say") {
        auto wrong = std::vector<int>(static_cast<std::size_t>(threads));
        auto running = std::vector<std::thread>();
        for (auto& mine : wrong)
            running.emplace_back([&cache, &mine] {
                for (std::uint64_t i = 0; i < 3000; ++i) {
                    const auto key = "key-" + std::to_string(i % 17);
                    if (i % 3 == 0) cache.insert(key, hot_value(1 + i % 200, 1 + i % 900));
                    if (i % 31 == 0) cache.forget(key);
                    if (i % 1009 == 0) cache.clear();
                    const auto found = cache.find(key);
                    if (found && found.bytes().back() != static_cast<std::byte>(found.version)) ++mine;
                }
            });
        for (auto& one : running) one.join();
        for (const auto mine : wrong) CHECK(mine == 0);
    }
}

} // namespace mooncake::testing
