#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/master/eviction_order.hpp>
#include <mooncake/store/master/object.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The orders in which objects of all shards go, one a tenant, and the lock for everything that comes and goes: slots, extents,
/// segments, quarantine. Hits do not wait for that lock: they leave their touches, in order, and whoever has it, or the
/// next decision, applies them first. So the orders are exact.
/// Locks: this one before a shard's, never after. Functions without a thread line need it held.
template <EvictionPolicy Policy>
class EvictionDomain {
  public:
    std::mutex mutex;

    explicit EvictionDomain(Policy policy)
        : name_(policy.name), model_(another_like(policy)), first_(std::move(policy), model_) {}

    /// Of the policy. Thread: any.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    /// There is so much space for `tenant`, at most.
    void capacity(std::uint64_t bytes, TenantNumber tenant = 0) { order_of(tenant).capacity(bytes); }
    /// Room is to be made for that.
    void expect(const EvictionEntry& entry, TenantNumber tenant = 0) { order_of(tenant).expect(entry); }

    /// Gives `object` a slot in its tenant's order, as what `entry` says.
    void add(Object& object, const EvictionEntry& entry) {
        order_of(object.tenant).add(object, entry);
        ++size_;
    }
    void remove(const Object& object, Departure why) {
        order_of(object.tenant).remove(object, why);
        --size_;
    }
    void touch(const Object& object, TimePoint now) { order_of(object.tenant).touch(object, now); }

    /// `EvictionOrder`; the same below.
    void pin(Object& object, Pin pin, const EvictionEntry& entry) { order_of(object.tenant).pin(object, pin, entry); }
    [[nodiscard]] SoftPin& soft_pin(const Object& object) { return order_of(object.tenant).soft_pin(object); }

    /// The first object of `tenant` with `pin`, in the policy's order, for which `evictable`; null when there is none.
    template <class Evictable>
    [[nodiscard]] Object* victim(const Evictable& evictable, TimePoint now, TenantNumber tenant = 0,
                                 Pin pin = Pin::none) {
        drain(now);
        return order_of(tenant).victim(evictable, pin);
    }

    /// Whose slot it was, if it still is.
    [[nodiscard]] Object* find(const Touch& touch) const noexcept {
        const auto* const order = find_order(touch.tenant);
        return order == nullptr ? nullptr : order->find(touch);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Of one tenant.
    [[nodiscard]] std::size_t size(TenantNumber tenant) const noexcept {
        const auto* const order = find_order(tenant);
        return order == nullptr ? 0 : order->size();
    }
    /// That number is to be another tenant's. Requires: it has no objects.
    void forget(TenantNumber tenant) {
        if (tenant != 0 && tenant <= others_.size()) others_[tenant - 1].reset();
    }

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
            if (i + ahead < applying_.size()) prefetch(applying_[i + ahead]);
            const auto& left = applying_[i];
            if (auto* const object = find(left)) left.evictable ? reconsider(*object) : touch(*object, now);
        }
        applying_.clear();
    }

  private:
    static constexpr std::size_t pending_limit = 65'536;
    /// Touches are all over memory: what one of them needs is asked for while so many before it are applied.
    static constexpr std::size_t ahead = 8;

    using Order = EvictionOrder<Policy>;

    /// With only the one that has no name nothing is looked up.
    [[nodiscard]] Order& order_of(TenantNumber tenant) {
        if (tenant == 0) [[likely]]
            return first_;
        if (tenant > others_.size()) others_.resize(tenant);
        auto& order = others_[tenant - 1];
        if (!order) order = std::make_unique<Order>(another_like(model_), model_);
        return *order;
    }
    [[nodiscard]] const Order* find_order(TenantNumber tenant) const noexcept {
        if (tenant == 0) [[likely]]
            return &first_;
        return tenant <= others_.size() ? others_[tenant - 1].get() : nullptr;
    }

    [[gnu::always_inline]] void prefetch(const Touch& touch) const noexcept {
        if (const auto* const order = find_order(touch.tenant)) order->prefetch(touch.slot);
    }
    void reconsider(Object& object) { order_of(object.tenant).reconsider(object); }

    const std::string_view name_;
    const Policy model_; // nothing is ever in it
    Order first_;
    std::vector<std::unique_ptr<Order>> others_; // by tenant, from 1 on
    std::size_t size_ = 0;
    std::vector<Touch> applying_;

    std::mutex pending_mutex_;
    std::vector<Touch> pending_;
    std::atomic<bool> has_pending_{false};
};

} // namespace mooncake::store::detail
