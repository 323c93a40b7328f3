#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/master/object.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The one order in which objects of all shards go, and the lock for everything that comes and goes: slots, extents,
/// segments, quarantine. Hits do not wait for that lock: they leave their touches, in order, and whoever has it, or the
/// next decision, applies them first. So the order is exact.
/// Locks: this one before a shard's, never after. Functions without a thread line need it held.
template <EvictionPolicy Policy>
class EvictionDomain {
  public:
    std::mutex mutex;

    explicit EvictionDomain(Policy policy) : policy_(std::move(policy)) {}

    /// Of the policy. Thread: any.
    [[nodiscard]] std::string_view name() const noexcept { return policy_.name; }

    /// There is so much space, in all.
    void capacity(std::uint64_t bytes) {
        if constexpr (SizedPolicy<Policy>)
            if (std::exchange(capacity_, bytes) != bytes) policy_.capacity(bytes);
    }

    /// Room is to be made for that.
    void expect(const EvictionEntry& entry) {
        if constexpr (ForeseeingPolicy<Policy>) policy_.expect(entry);
    }

    /// Gives `object` a slot, as what `entry` says. Hard-pinned ones are in no order: they never go.
    void add(Object& object, const EvictionEntry& entry) {
        if (vacant_.empty()) {
            object.slot = static_cast<Slot>(tenants_.size());
            tenants_.emplace_back();
        } else {
            object.slot = vacant_.back();
            vacant_.pop_back();
        }
        tenants_[object.slot] = {&object, object.version};
        if (object.pin == Pin::none) policy_.insert(object.slot, entry);
    }
    void remove(const Object& object, Departure why) {
        if (object.pin == Pin::none) policy_.remove(object.slot, why);
        tenants_[object.slot] = {};
        vacant_.push_back(object.slot);
    }
    void touch(const Object& object, TimePoint now) {
        if (object.pin == Pin::none) policy_.touch(object.slot, now);
    }

    /// The first object, in the policy's order, for which `evictable`; null when there is none.
    template <class Evictable>
    [[nodiscard]] Object* victim(const Evictable& evictable, TimePoint now) {
        drain(now);
        const auto slot = policy_.victim([&](Slot at) {
            auto& object = *tenants_[at].object;
            if (evictable(object)) return true;
            if constexpr (!ReconsideringPolicy<Policy>) return false;
            // Whoever makes it evictable from now on leaves word; and by now somebody may have.
            object.leases.fetch_or(Object::passed_over, std::memory_order_seq_cst);
            if (!evictable(object)) return false;
            object.leases.fetch_and(~Object::passed_over, std::memory_order_relaxed);
            return true;
        });
        return slot ? tenants_[*slot].object : nullptr;
    }

    /// Whose slot it was, if it still is.
    [[nodiscard]] Object* find(const Touch& touch) const noexcept {
        const auto& tenant = tenants_[touch.slot];
        return tenant.version == touch.version ? tenant.object : nullptr;
    }

    [[nodiscard]] std::size_t size() const noexcept { return tenants_.size() - vacant_.size(); }

    /// Thread: any, without the lock. Blocks only when `pending_limit` touches wait for a decision that takes so long.
    void post(std::span<const Touch> touches, TimePoint now) {
        const auto waiting = leave(touches);
        if (waiting == 0) return;
        auto lock = std::unique_lock(mutex, std::defer_lock);
        if (waiting > pending_limit) lock.lock();
        else if (!lock.try_lock()) return;
        drain(now);
    }

    /// As `post`, for those who may have the lock: the next decision applies them. Gives how many wait, 0 for none.
    std::size_t leave(std::span<const Touch> touches) {
        if (touches.empty()) return 0;
        const auto lock = std::lock_guard(pending_mutex_);
        pending_.insert(pending_.end(), touches.begin(), touches.end());
        has_pending_.store(true, std::memory_order_release);
        return pending_.size();
    }

    /// Applies the touches that were left meanwhile, as of `now`.
    void drain(TimePoint now) {
        if (!has_pending_.load(std::memory_order_acquire)) return;
        {
            const auto lock = std::lock_guard(pending_mutex_);
            applying_.swap(pending_);
            has_pending_.store(false, std::memory_order_relaxed);
        }
        for (std::size_t i = 0; i < applying_.size(); ++i) {
            if (i + ahead < applying_.size()) prefetch(applying_[i + ahead].slot);
            const auto& left = applying_[i];
            if (auto* const object = find(left)) left.evictable ? reconsider(*object) : touch(*object, now);
        }
        applying_.clear();
    }

  private:
    static constexpr std::size_t pending_limit = 65'536;
    /// Touches are all over memory: what one of them needs is asked for while so many before it are applied.
    static constexpr std::size_t ahead = 8;

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        __builtin_prefetch(&tenants_[slot]);
        if constexpr (requires { policy_.prefetch(slot); }) policy_.prefetch(slot);
    }

    void reconsider(Object& object) {
        object.leases.fetch_and(~Object::passed_over, std::memory_order_relaxed);
        if constexpr (ReconsideringPolicy<Policy>)
            if (object.pin == Pin::none) policy_.reconsider(object.slot);
    }

    struct Tenant {
        Object* object = nullptr;
        std::uint64_t version = 0; // 0: nobody's
    };

    Policy policy_;
    std::uint64_t capacity_ = 0;  // as the policy was told
    std::vector<Tenant> tenants_; // by slot
    std::vector<Slot> vacant_;
    std::vector<Touch> applying_;

    std::mutex pending_mutex_;
    std::vector<Touch> pending_;
    std::atomic<bool> has_pending_{false};
};

} // namespace mooncake::store::detail
