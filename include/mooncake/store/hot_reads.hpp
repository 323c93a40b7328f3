#pragma once

/// Reads of a store by way of a cache of bytes in this process. An entry of its own: nothing else includes it.

#include <mooncake/core/task.hpp>
#include <mooncake/store/client/hot_cache.hpp>
#include <mooncake/store/client/options.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

struct HotReadCounts {
    std::uint64_t hits = 0;   ///< given from the cache
    std::uint64_t misses = 0; ///< read from the store: nothing was kept of the key
    std::uint64_t stale = 0;  ///< read from the store: what was kept was not the current version
};

/// A store's `get`, whose values are kept by a `HotCachePolicy` and shared among those who read them.
///
/// Never stale: what is kept is given out only if the store says, in the same call, that its version is the key's current one: by a
/// descriptor that the store has under a live lease (`ClientConfig::cached_descriptors`; no round trip), else by asking the
/// master (one round trip, and no bytes). So a hit is as fresh as a `get` with the same options would be, `Freshness::newest`
/// included, and needs no word from those who write. Versions are of one object for good: another master numbers from elsewhere.
///
/// What is read without being compared (`Verify::never`) is not kept.
/// Thread: everything from any executor. Lifetime: the store outlives it, and both outlive its tasks; values may outlive all.
template <class Store, HotCachePolicy Cache = NoHotCache>
class HotReads {
  public:
    explicit HotReads(Store& store, const typename Cache::Config& config = {}) : store_(store), cache_(config) {}
    HotReads(const HotReads&) = delete;
    HotReads& operator=(const HotReads&) = delete;

    /// The object's bytes. Errors and cancellation: as the store's `get`.
    Task<HotValue> get(std::string_view key, GetOptions options = {}) { return get_named(std::string(key), options); }

    /// Frees what is kept; needed for no other reason.
    void forget(std::string_view key) { cache_.forget(key); }
    void clear() { cache_.clear(); }

    [[nodiscard]] std::uint64_t bytes() const { return cache_.bytes(); } ///< that are kept
    [[nodiscard]] HotReadCounts counts() const noexcept {
        return {.hits = hits_.load(), .misses = misses_.load(), .stale = stale_.load()};
    }

  private:
    Task<HotValue> get_named(std::string key, GetOptions options) {
        auto* const told = options.version_read;
        auto known = HotValue();
        if constexpr (Cache::keeps) known = cache_.find(key);
        if (known) {
            auto version = std::uint64_t{0};
            // Of no bytes: what it is. `never`: what a lease no longer vouches for is asked.
            const auto asking = RangeOptions{.deadline = options.deadline,
                                             .verify = Verify::never,
                                             .freshness = options.freshness,
                                             .version_read = &version};
            const auto size = co_await store_.get_range(key, 0, MutableBytes(), asking);
            if (!size) {
                if (size.error() == Errc::not_found || size.error() == Errc::lost) cache_.forget(key);
                co_return size.error();
            }
            if (version == known.version) {
                ++hits_;
                if (told != nullptr) *told = version;
                co_return known;
            }
            ++stale_;
        } else ++misses_;
        auto version = std::uint64_t{0};
        options.version_read = &version;
        auto bytes = co_await store_.get(key, options);
        if (!bytes) co_return bytes.error();
        if (told != nullptr) *told = version;
        auto value =
            HotValue{.version = version, .data = std::make_shared<const std::vector<std::byte>>(std::move(*bytes))};
        if constexpr (Cache::keeps)
            if (options.verify != Verify::never) cache_.insert(key, value);
        co_return value;
    }

    Store& store_;
    Cache cache_;
    std::atomic<std::uint64_t> hits_ = 0, misses_ = 0, stale_ = 0;
};

} // namespace mooncake
