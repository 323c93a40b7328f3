#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/store/client/cached_lease.hpp>
#include <mooncake/store/messages/objects.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// An object as the master described it. Constant.
struct CachedObject {
    std::string key;
    ObjectDescriptor object;
    std::uint64_t term = 0; ///< of the master that said so
    TimePoint until;        ///< not to be used for new reads any more, even if the lease is renewed for a view
    std::shared_ptr<CachedLease> lease;

    [[nodiscard]] bool usable(TimePoint now) const noexcept { return now < until && now < lease->trusted_until(); }
};

/// What a client remembers of objects that it has read, until their leases end: see `ClientConfig::cached_descriptors`. Sets of
/// eight, of which the one that was used longest ago makes room.
///
/// Whoever writes or removes a key calls `forget` when that is over and before its caller knows; what was asked before that is
/// not taken in after it (`Stamp`), so that a client reads what it wrote. Thread: any. Complexity: O(1); `clear` and
/// `end_told`: O(entries).
template <class Void> // so that it is compiled where it is used
class BasicDescriptorCache {
  public:
    using Entry = std::shared_ptr<const CachedObject>;
    /// When something was asked, as far as writes of a key are concerned.
    using Stamp = std::uint64_t;

    /// At most `entries`, 0: none.
    explicit BasicDescriptorCache(std::uint32_t entries) {
        if (entries == 0) return;
        ways_ = std::min(entries, most_ways);
        mask_ = std::bit_floor(entries / ways_) - 1;
        ways_of_all_.resize((std::size_t{mask_} + 1) * ways_);
        writes_ = std::make_unique<Writes>();
    }

    [[nodiscard]] bool is_on() const noexcept { return ways_ != 0; }

    /// Null: nothing that may be used now. Requires: it is on.
    [[nodiscard]] Entry find(std::string_view key, TimePoint now) {
        const auto hash = hash_text(key);
        const auto lock = std::lock_guard(mutex_of(hash));
        auto* const way = find_way(hash, key);
        if (way == nullptr) return nullptr;
        if (!way->entry->usable(now)) {
            way->entry.reset();
            return nullptr;
        }
        way->used = now;
        return way->entry;
    }

    /// To be taken before the master is asked. Requires: it is on.
    [[nodiscard]] Stamp stamp(std::string_view key) const noexcept { return stamp_of(hash_text(key)); }

    /// Takes in what was asked at `asked`, unless the key was written since, or a newer version is known.
    void insert(CachedObject object, Stamp asked, TimePoint now) {
        const auto hash = hash_text(object.key);
        auto entry = std::make_shared<const CachedObject>(std::move(object));
        if (entry->lease->told()) any_told_ = true;
        const auto lock = std::lock_guard(mutex_of(hash));
        if (stamp_of(hash) != asked) return;
        auto* way = find_way(hash, entry->key);
        if (way != nullptr && way->entry->term == entry->term && way->entry->object.version > entry->object.version)
            return;
        if (way == nullptr) {
            const auto set = set_of(hash);
            way = &*std::min_element(set.begin(), set.end(), [](const Way& a, const Way& b) {
                return (a.entry != nullptr) != (b.entry != nullptr) ? a.entry == nullptr : a.used < b.used;
            });
        }
        // The lock is still held: what comes out must not call anybody who waits for us. It only queues its lease's number.
        *way = {.hash = hash, .used = now, .entry = std::move(entry)};
    }

    /// The key was written or removed, or its entry turned out to be wrong. Gives what was known.
    Entry forget(std::string_view key) {
        if (!is_on()) return nullptr;
        const auto hash = hash_text(key);
        const auto lock = std::lock_guard(mutex_of(hash));
        count_of(hash).fetch_add(1);
        auto* const way = find_way(hash, key);
        return way == nullptr ? nullptr : std::exchange(way->entry, nullptr);
    }

    /// All keys may have been written. Gives what was known.
    std::vector<Entry> clear() {
        auto known = std::vector<Entry>();
        if (!is_on()) return known;
        clears_.fetch_add(1);
        for_each([&](Way& way) { known.push_back(std::move(way.entry)); });
        return known;
    }

    /// The caller released a lease whose number it was told.
    void end_told(std::uint64_t lease) {
        if (!any_told_) return;
        for_each([&](Way& way) {
            if (way.entry->lease->told() && way.entry->lease->id() == lease) way.entry.reset();
        });
    }

  private:
    static constexpr std::uint32_t most_ways = 8;
    static constexpr std::size_t stripes = 64, counts = 1024;

    struct Way {
        std::uint64_t hash = 0;
        TimePoint used;
        Entry entry;
    };
    struct alignas(64) Stripe {
        std::mutex mutex; ///< of the sets whose number ends in the stripe's
    };
    /// Writes that ended, by hash: a write of one key is mistaken for one of another once in so many.
    struct Writes {
        std::array<Stripe, stripes> locks;
        std::array<std::atomic<std::uint64_t>, counts> counts_of{};
    };

    [[nodiscard]] std::uint32_t set_number(std::uint64_t hash) const noexcept {
        return static_cast<std::uint32_t>(hash >> 32U) & mask_;
    }
    [[nodiscard]] std::mutex& mutex_of(std::uint64_t hash) noexcept {
        return writes_->locks[set_number(hash) % stripes].mutex;
    }
    [[nodiscard]] std::atomic<std::uint64_t>& count_of(std::uint64_t hash) const noexcept {
        return writes_->counts_of[hash % counts];
    }
    [[nodiscard]] Stamp stamp_of(std::uint64_t hash) const noexcept { return count_of(hash).load() + clears_.load(); }
    [[nodiscard]] std::span<Way> set_of(std::uint64_t hash) noexcept {
        return std::span(ways_of_all_).subspan(std::size_t{set_number(hash)} * ways_, ways_);
    }
    [[nodiscard]] Way* find_way(std::uint64_t hash, std::string_view key) noexcept {
        for (auto& way : set_of(hash))
            if (way.hash == hash && way.entry != nullptr && way.entry->key == key) return &way;
        return nullptr;
    }
    template <class Do>
    void for_each(const Do& act) {
        for (std::size_t stripe = 0; stripe < stripes; ++stripe) {
            const auto lock = std::lock_guard(writes_->locks[stripe].mutex);
            for (auto set = stripe; set <= mask_; set += stripes)
                for (auto& way : std::span(ways_of_all_).subspan(set * ways_, ways_))
                    if (way.entry != nullptr) act(way);
        }
    }

    std::uint32_t ways_ = 0; ///< of a set; 0: off
    std::uint32_t mask_ = 0; ///< sets - 1
    std::vector<Way> ways_of_all_;
    std::unique_ptr<Writes> writes_;
    std::atomic<std::uint64_t> clears_ = 0;
    std::atomic<bool> any_told_ = false;
};

using DescriptorCache = BasicDescriptorCache<void>;

} // namespace mooncake::store::detail
