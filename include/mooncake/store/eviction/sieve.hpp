#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/slot_list.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mooncake {

/// Choose this when: hits must be cheap (a touch sets one byte) and many objects are used once.
///
/// A hand walks from the oldest to the newest: a slot that was touched since the hand's last visit loses its mark and
/// stays, the first without a mark goes, and the hand waits there. A slot that may not be evicted is passed over and
/// keeps its mark; it is out of the hand's way until it is to be reconsidered, and then behind the hand.
/// Source: "SIEVE is Simpler than LRU", NSDI'24.
class SieveEviction {
  public:
    static constexpr std::string_view name = "sieve";

    template <class Void = void>
    void insert(Slot slot, const EvictionEntry&) {
        core::detail::known_later<Void>(order_).push_front(slot);
        order_.note(slot) = {};
    }
    void touch(Slot slot, TimePoint) noexcept { order_.note(slot).marked = true; }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { order_.prefetch(slot); }
    void remove(Slot slot, Departure) noexcept {
        if (order_.note(slot).aside) --aside_;
        else take_out(slot);
        order_.note(slot) = {};
    }
    void reconsider(Slot slot) {
        if (!order_.note(slot).aside) return;
        order_.note(slot).aside = false;
        --aside_;
        if (hand_ == order_.none) order_.push_front(slot);
        else order_.insert_older(slot, hand_);
    }

    /// Complexity: amortised O(1); each mark that is passed was paid for by a touch.
    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        // The second time round every slot has lost its mark, so twice round finds one if there is any.
        for (auto steps = 2 * order_.size(); steps != 0; --steps) {
            if (hand_ == order_.none) hand_ = order_.back();
            if (hand_ == order_.none) break;
            auto& slot = order_.note(hand_);
            if (!evictable(hand_)) {
                slot.aside = true;
                ++aside_;
                take_out(hand_);
                continue;
            }
            if (!slot.marked) return hand_;
            slot.marked = false;
            hand_ = order_.newer(hand_);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::size_t size() const noexcept { return order_.size() + aside_; }

  private:
    struct State {
        bool marked = false;
        bool aside = false; // not in `order_`
    };

    void take_out(Slot slot) noexcept {
        if (hand_ == slot) hand_ = order_.newer(slot);
        order_.remove(slot);
    }

    using Order = store::detail::SlotList<State>;

    Order order_;
    std::size_t aside_ = 0;
    Slot hand_ = Order::none;
};

static_assert(EvictionPolicy<SieveEviction> && ReconsideringPolicy<SieveEviction>);

} // namespace mooncake
