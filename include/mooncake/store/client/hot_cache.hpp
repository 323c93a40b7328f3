#pragma once

#include <mooncake/core/bytes.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake {

/// The bytes of one version of an object, shared with whoever else reads it. Constant, and nobody's memory but this process's.
struct HotValue {
    std::uint64_t version = 0; ///< 0: none
    std::shared_ptr<const std::vector<std::byte>> data{};

    [[nodiscard]] explicit operator bool() const noexcept { return data != nullptr; }
    /// Requires: there is one. Lifetime: of this value, or of a copy of it.
    [[nodiscard]] ConstBytes bytes() const noexcept { return *data; }
    [[nodiscard]] std::size_t size() const noexcept { return data->size(); }
};

/// What a client keeps of the bytes that it has read. It may hold any version: `HotReads` gives out none that it has not found to
/// be the current one.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `C::keeps` | false: it is never asked | – | – | – |
/// | `C::Config` | what it is made of; it has a default | – | – | – |
/// | `c.find(key)` | what it has of the key, or an empty value; a use of it | none | any | O(1) |
/// | `c.insert(key, value)` | has it in place of another version, or keeps nothing of the key; what is colder may go | none | any | O(1) for each that goes |
/// | `c.forget(key)` | has nothing of it | none | any | O(1) |
/// | `c.clear()` | has nothing | none | any | O(values) |
/// | `c.bytes()` | how much it holds, with what it needs for that; never above its bound | none | any | O(1) |
template <class C>
concept HotCachePolicy =
    std::default_initializable<typename C::Config> && std::constructible_from<C, const typename C::Config&> &&
    requires(C& cache, const C& constant, std::string_view key, HotValue value) {
        { C::keeps } -> std::same_as<const bool&>;
        { cache.find(key) } -> std::same_as<HotValue>;
        { cache.insert(key, std::move(value)) } -> std::same_as<void>;
        { cache.forget(key) } -> std::same_as<void>;
        { cache.clear() } -> std::same_as<void>;
        { constant.bytes() } -> std::same_as<std::uint64_t>;
    };

/// Choose this where objects lie in memory of this machine: a second copy of them wins little.
struct NoHotCache {
    struct Config {};
    static constexpr bool keeps = false;

    NoHotCache() = default;
    explicit NoHotCache(const Config&) noexcept {}
    [[nodiscard]] HotValue find(std::string_view) const noexcept { return {}; }
    void insert(std::string_view, const HotValue&) const noexcept {}
    void forget(std::string_view) const noexcept {}
    void clear() const noexcept {}
    [[nodiscard]] std::uint64_t bytes() const noexcept { return 0; }
};
static_assert(HotCachePolicy<NoHotCache>);

struct HotCacheConfig {
    std::uint64_t bytes = std::uint64_t{64}
                          << 20U; ///< of values, keys and what it takes to find them; 0: nothing is kept
};

/// The values that were used last, up to so many bytes.
/// Choose this where a few objects over a network are read again and again, such as the blocks of a system prompt.
///
/// A value of more than a quarter of all is not kept: it would push out many for one. Thread: any; one lock.
class HotCache {
  public:
    using Config = HotCacheConfig;
    static constexpr bool keeps = true;
    static constexpr std::uint64_t overhead = 256; ///< bytes a value, beside itself and its key

    explicit HotCache(const Config& config = {}) : most_(config.bytes) {}

    [[nodiscard]] HotValue find(std::string_view key) {
        const auto lock = std::lock_guard(mutex_);
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return {};
        by_use_.splice(by_use_.begin(), by_use_, found->second);
        return found->second->value;
    }

    void insert(std::string_view key, HotValue value) {
        auto gone = std::list<One>(); // freed when nobody waits for the lock
        auto come = std::list<One>();
        const auto bytes = value ? bytes_of(key, value) : 0;
        const auto keep = bytes != 0 && bytes <= most_ / 4;
        if (keep) come.push_front({.key = std::string(key), .value = std::move(value)});
        const auto lock = std::lock_guard(mutex_);
        drop(by_key_.find(key), gone);
        if (!keep) return;
        while (bytes > most_ - bytes_) drop(by_key_.find(by_use_.back().key), gone);
        by_key_.emplace(come.front().key, come.begin());
        by_use_.splice(by_use_.begin(), come);
        bytes_ += bytes;
    }

    void forget(std::string_view key) {
        auto gone = std::list<One>();
        const auto lock = std::lock_guard(mutex_);
        drop(by_key_.find(key), gone);
    }

    void clear() {
        auto gone = std::list<One>();
        const auto lock = std::lock_guard(mutex_);
        by_key_.clear();
        gone.swap(by_use_);
        bytes_ = 0;
    }

    [[nodiscard]] std::uint64_t bytes() const {
        const auto lock = std::lock_guard(mutex_);
        return bytes_;
    }

  private:
    struct One {
        std::string key;
        HotValue value;
    };
    using ByKey = std::unordered_map<std::string_view, std::list<One>::iterator>; // views of the keys in the list

    [[nodiscard]] static std::uint64_t bytes_of(std::string_view key, const HotValue& value) noexcept {
        return overhead + key.size() + value.size();
    }
    void drop(ByKey::iterator which, std::list<One>& gone) {
        if (which == by_key_.end()) return;
        const auto one = which->second;
        by_key_.erase(which);
        bytes_ -= bytes_of(one->key, one->value);
        gone.splice(gone.begin(), by_use_, one);
    }

    const std::uint64_t most_;
    mutable std::mutex mutex_;
    std::uint64_t bytes_ = 0;
    std::list<One> by_use_; ///< the last used first
    ByKey by_key_;
};
static_assert(HotCachePolicy<HotCache>);

} // namespace mooncake
