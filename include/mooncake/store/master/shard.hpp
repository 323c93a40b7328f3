#pragma once

#include <mooncake/store/master/object_table.hpp>
#include <mooncake/store/master/waiter.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// A part of the objects, under one lock. They come and go under the domain's lock as well, so that `find` needs only
/// one of the two.
class alignas(64) Shard {
  public:
    std::mutex mutex;

    [[nodiscard]] Object* find(const HashedKey& key) const noexcept { return objects_.find(key); }
    /// That version: the object of `key`, or what is to take its place.
    [[nodiscard]] Object* find(const HashedKey& key, std::uint64_t version) const noexcept {
        return objects_.find(key, version);
    }
    [[gnu::always_inline]] void prefetch(const HashedKey& key, ObjectTable::Ahead what) const noexcept {
        objects_.prefetch(key, what);
    }
    /// One that may be read: committed, and a replica is left.
    [[nodiscard]] Object* find_visible(const HashedKey& key) const noexcept {
        auto* const object = find(key);
        return object != nullptr && object->visible() ? object : nullptr;
    }
    /// As the object of its key, or as the successor of that, which has none yet.
    void insert(Object& object) {
        if (!lost_.empty()) [[unlikely]]
            std::erase(lost_, object.hash);
        objects_.insert(object);
    }
    /// A successor takes its place. Requires: `object` is here.
    void erase(Object& object) noexcept { objects_.erase(object); }

    /// It is gone because its last replica is: that is remembered of the last `most_lost` such.
    void remember_lost(const Object& object) {
        if (!object.committed()) return;
        if (lost_.size() == most_lost) lost_.erase(lost_.begin());
        lost_.push_back(object.hash);
    }
    /// Why `key` cannot be read: `lost` where that is known, else `not_found`.
    [[nodiscard]] Errc why_not(const HashedKey& key) const noexcept {
        const auto* const object = find(key);
        const auto unusable = object != nullptr && object->committed();
        return unusable || std::find(lost_.begin(), lost_.end(), key.hash) != lost_.end() ? Errc::lost
                                                                                          : Errc::not_found;
    }
    static constexpr std::size_t most_lost = 64; ///< of a shard

    template <class Visit>
    void for_each(const Visit& visit) const {
        objects_.for_each(visit);
    }

    using Waiters = std::vector<std::shared_ptr<Waiter>>;

    void add_waiter(const std::string& key, std::shared_ptr<Waiter> waiter) {
        waiting_[key].push_back(std::move(waiter));
    }
    void remove_waiter(const std::string& key, const Waiter& waiter) {
        const auto found = waiting_.find(std::string(key));
        if (found == waiting_.end()) return;
        std::erase_if(found->second, [&](const auto& other) { return other.get() == &waiter; });
        if (found->second.empty()) waiting_.erase(found);
    }
    /// Those who waited for `key`, which is visible now.
    void take_waiters(std::string_view key, Waiters& taken) {
        if (waiting_.empty()) [[likely]]
            return;
        const auto found = waiting_.find(std::string(key));
        if (found == waiting_.end()) return;
        taken.insert(taken.end(), std::make_move_iterator(found->second.begin()),
                     std::make_move_iterator(found->second.end()));
        waiting_.erase(found);
    }
    [[nodiscard]] std::size_t keys_waited_for() const noexcept { return waiting_.size(); }

  private:
    ObjectTable objects_;
    std::vector<std::uint64_t> lost_; ///< hashes of keys, in order
    std::unordered_map<std::string, Waiters> waiting_;
};

/// All of the objects.
class Shards {
  public:
    static constexpr std::size_t count = std::size_t{1} << ObjectTable::shard_bits;

    [[nodiscard]] Shard& of(std::uint64_t hash) noexcept { return (*shards_)[hash % count]; }

    /// Asks for what is needed to find `key`: see `ObjectTable::prefetch`. Requires: no lock of a shard is held.
    [[gnu::always_inline]] void prefetch(const HashedKey& key, ObjectTable::Ahead what) {
        auto& shard = of(key.hash);
        const auto lock = std::lock_guard(shard.mutex);
        shard.prefetch(key, what);
    }
    [[gnu::always_inline]] void prefetch_shard(const HashedKey& key) noexcept {
        const auto* const shard = reinterpret_cast<const char*>(&of(key.hash));
        __builtin_prefetch(shard);
        __builtin_prefetch(shard + 64);
    }

    [[nodiscard]] Shard& at(std::size_t index) noexcept { return (*shards_)[index]; }

    [[nodiscard]] auto begin() noexcept { return shards_->begin(); }
    [[nodiscard]] auto end() noexcept { return shards_->end(); }

  private:
    std::unique_ptr<std::array<Shard, count>> shards_ = std::make_unique<std::array<Shard, count>>();
};

/// Who waits for what. Nothing here is looked at by a put unless somebody waits in its shard.
class WaiterRegistry {
  public:
    /// Requires: `waiter` has not waited before. Thread: any.
    static void wait(Shards& shards, const std::vector<std::string>& keys, const std::shared_ptr<Waiter>& waiter) {
        waiter->keys_ = keys;
        waiter->outstanding_.store(static_cast<std::uint32_t>(keys.size()) + 1, std::memory_order_relaxed);
        auto visible = std::uint32_t{1}; // one for the registration itself, so that nobody else can settle it meanwhile
        for (const auto& text : keys) {
            const auto key = HashedKey(text);
            auto& shard = shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            if (shard.find_visible(key) != nullptr) ++visible;
            else shard.add_waiter(text, waiter);
        }
        arrived(*waiter, visible);
    }

    /// Whether it was cancelled; if not, it was ready before. Thread: any.
    static bool cancel(Shards& shards, Waiter& waiter) {
        if (waiter.settled_.exchange(true, std::memory_order_acq_rel)) return false;
        for (const auto& text : waiter.keys_) {
            auto& shard = shards.of(HashedKey(text).hash);
            const auto lock = std::lock_guard(shard.mutex);
            shard.remove_waiter(text, waiter);
        }
        return true;
    }

    /// `taken` waited for keys that are visible now. Requires: no lock is held.
    static void arrived(const Shard::Waiters& taken) {
        for (const auto& waiter : taken) arrived(*waiter, 1);
    }

  private:
    static void arrived(Waiter& waiter, std::uint32_t keys) {
        if (waiter.outstanding_.fetch_sub(keys, std::memory_order_acq_rel) != keys) return;
        if (!waiter.settled_.exchange(true, std::memory_order_acq_rel)) waiter.ready();
    }
};

} // namespace mooncake::store::detail
