#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/slot_list.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace mooncake {

/// Choose this when: in doubt, or when what was used last will be used next. Exact least recently used: two links and a
/// number a slot. Complexity: everything O(1), `reconsider` and what follows from it O(log n); `victim` adds one step for
/// each slot that it passes over, once until that is to be reconsidered.
class LruEviction {
  public:
    static constexpr std::string_view name = "lru";

    template <class Void = void>
    void insert(Slot slot, const EvictionEntry&) {
        core::detail::known_later<Void>(order_).push_front(slot);
        used(slot);
    }
    void touch(Slot slot, TimePoint) {
        forget(slot);
        order_.move_to_front(slot);
        used(slot);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { order_.prefetch(slot); }
    void remove(Slot slot, Departure) {
        forget(slot);
        order_.remove(slot);
    }
    void reconsider(Slot slot) {
        const auto passed = next_ == order_.none || order_.note(slot) < order_.note(next_);
        if (passed) again_.emplace(order_.note(slot), slot);
    }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        for (; !again_.empty(); again_.erase(again_.begin()))
            if (const auto oldest = again_.begin()->second; evictable(oldest)) return oldest;
        for (; next_ != order_.none; next_ = order_.newer(next_))
            if (evictable(next_)) return next_;
        return std::nullopt;
    }

    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    /// `slot` is the newest now, and nobody has passed it.
    void used(Slot slot) {
        order_.note(slot) = ++clock_;
        if (next_ == order_.none) next_ = slot;
    }
    void forget(Slot slot) {
        if (!again_.empty()) again_.erase({order_.note(slot), slot});
        if (slot == next_) next_ = order_.newer(slot);
    }

    using Order = store::detail::SlotList<std::uint64_t>; // when each was used last

    Order order_;
    std::set<std::pair<std::uint64_t, Slot>> again_; // those before `next_` that are to be looked at again
    Slot next_ = Order::none;                        // the oldest that was not passed over; none: all were
    std::uint64_t clock_ = 0;
};

static_assert(EvictionPolicy<LruEviction> && ReconsideringPolicy<LruEviction>);

} // namespace mooncake
