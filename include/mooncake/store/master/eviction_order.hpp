#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/master/object.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// A policy of the same kind and settings, with nothing in it. Requires: `policy` has nothing in it either.
template <EvictionPolicy Policy>
[[nodiscard]] Policy another_like(const Policy& policy) {
    if constexpr (requires {
                      { policy.another() } -> std::same_as<Policy>;
                  })
        return policy.another();
    else if constexpr (std::copy_constructible<Policy>) return policy;
    else return Policy();
}

/// The order in which one tenant's objects go, and the slots that they have in it.
/// Thread: one at a time (the domain's lock).
template <EvictionPolicy Policy>
class EvictionOrder {
  public:
    /// `model`: of the same kind and settings. Lifetime: outlives it; nothing is ever in it.
    EvictionOrder(Policy policy, const Policy& model) : model_(model), policy_(std::move(policy)) {}

    void capacity(std::uint64_t bytes) {
        if constexpr (SizedPolicy<Policy>) {
            if (std::exchange(capacity_, bytes) == bytes) return;
            policy_.capacity(bytes);
            if (soft_) soft_->capacity(bytes);
        }
    }
    void expect(const EvictionEntry& entry) {
        if constexpr (ForeseeingPolicy<Policy>) policy_.expect(entry);
    }

    /// Gives `object` a slot, as what `entry` says. Hard-pinned ones are in no order: they never go. Soft-pinned ones have an
    /// order of their own, behind the other.
    void add(Object& object, const EvictionEntry& entry) {
        if (vacant_.empty()) {
            object.slot = static_cast<Slot>(occupants_.size());
            occupants_.emplace_back();
        } else {
            object.slot = vacant_.back();
            vacant_.pop_back();
        }
        occupants_[object.slot] = {&object, object.version};
        if (auto* const policy = policy_for(object)) policy->insert(object.slot, entry);
    }
    void remove(const Object& object, Departure why) {
        if (auto* const policy = policy_for(object)) policy->remove(object.slot, why);
        occupants_[object.slot] = {};
        vacant_.push_back(object.slot);
    }
    void touch(const Object& object, TimePoint now) {
        if (auto* const policy = policy_for(object)) policy->touch(object.slot, now);
    }
    /// It comes into the order for what has `pin`, as what `entry` says.
    void pin(Object& object, Pin pin, const EvictionEntry& entry) {
        if (auto* const policy = policy_for(object)) policy->remove(object.slot, Departure::removed);
        object.pin = pin;
        if (auto* const policy = policy_for(object)) policy->insert(object.slot, entry);
    }

    /// Of an object that is soft-pinned, or was.
    [[nodiscard]] SoftPin& soft_pin(const Object& object) {
        if (object.slot >= soft_pins_.size()) soft_pins_.resize(object.slot + std::size_t{1});
        auto& pin = soft_pins_[object.slot];
        if (pin.version != object.version) pin = {.version = object.version};
        return pin;
    }

    /// The first object, in the policy's order, for which `evictable`; null when there is none. Of those with `pin`.
    template <class Evictable>
    [[nodiscard]] Object* victim(const Evictable& evictable, Pin pin) {
        if (pin == Pin::soft && !soft_) return nullptr;
        auto& policy = pin == Pin::soft ? *soft_ : policy_;
        const auto slot = policy.victim([&](Slot at) {
            auto& object = *occupants_[at].object;
            if (evictable(object)) return true;
            if constexpr (!ReconsideringPolicy<Policy>) return false;
            // Whoever makes it evictable from now on leaves word; and by now somebody may have.
            object.leases.fetch_or(Object::passed_over, std::memory_order_seq_cst);
            if (!evictable(object)) return false;
            object.leases.fetch_and(~Object::passed_over, std::memory_order_relaxed);
            return true;
        });
        return slot ? occupants_[*slot].object : nullptr;
    }
    void reconsider(Object& object) {
        object.leases.fetch_and(~Object::passed_over, std::memory_order_relaxed);
        if constexpr (ReconsideringPolicy<Policy>)
            if (auto* const policy = policy_for(object)) policy->reconsider(object.slot);
    }

    /// Whose slot it was, if it still is.
    [[nodiscard]] Object* find(const Touch& touch) const noexcept {
        if (touch.slot >= occupants_.size()) return nullptr; // of a tenant that had this number before
        const auto& occupant = occupants_[touch.slot];
        return occupant.version == touch.version ? occupant.object : nullptr;
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        if (slot >= occupants_.size()) return;
        __builtin_prefetch(&occupants_[slot]);
        if constexpr (requires { policy_.prefetch(slot); }) policy_.prefetch(slot);
    }

    [[nodiscard]] std::size_t size() const noexcept { return occupants_.size() - vacant_.size(); }

  private:
    struct Occupant {
        Object* object = nullptr;
        std::uint64_t version = 0; // 0: nobody's
    };

    /// That `object` is in, by its pin; null: none.
    [[nodiscard]] Policy* policy_for(const Object& object) {
        if (object.pin == Pin::none) [[likely]]
            return &policy_;
        if (object.pin == Pin::hard) return nullptr;
        if (!soft_) {
            soft_ = std::make_unique<Policy>(another_like(model_));
            if constexpr (SizedPolicy<Policy>) soft_->capacity(capacity_);
        }
        return soft_.get();
    }

    const Policy& model_;
    Policy policy_;
    std::unique_ptr<Policy> soft_;    // of what is soft-pinned, once something was
    std::vector<SoftPin> soft_pins_;  // by slot, of those; as many as were needed so far
    std::uint64_t capacity_ = 0;      // as the policy was told
    std::vector<Occupant> occupants_; // by slot
    std::vector<Slot> vacant_;
};

} // namespace mooncake::store::detail
