#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/slot_list.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: hits must be cheap (a touch sets one byte) and many objects are used once.
///
/// A hand walks from the oldest to the newest: a slot that was touched since the hand's last visit loses its mark and
/// stays, the first without a mark goes, and the hand waits there. A slot that may not be evicted is passed over and
/// keeps its mark. Source: "SIEVE is Simpler than LRU", NSDI'24.
class SieveEviction {
  public:
    static constexpr std::string_view name = "sieve";

    void insert(Slot slot, const EvictionEntry&) {
        if (slot >= marked_.size()) marked_.resize(slot + std::size_t{1});
        marked_[slot] = 0;
        order_.push_front(slot);
    }
    void touch(Slot slot) noexcept { marked_[slot] = 1; }
    void remove(Slot slot) noexcept {
        if (hand_ == slot) hand_ = order_.newer(slot);
        order_.remove(slot);
    }

    /// Complexity: amortised O(1); each mark that is passed was paid for by a touch.
    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        // The second time round every evictable slot has lost its mark, so twice round finds one if there is any.
        for (auto steps = 2 * order_.size(); steps != 0; --steps) {
            if (hand_ == order_.none) hand_ = order_.back();
            if (evictable(hand_)) {
                if (marked_[hand_] == 0) return hand_;
                marked_[hand_] = 0;
            }
            hand_ = order_.newer(hand_);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    store::detail::SlotList order_;
    std::vector<std::uint8_t> marked_;
    Slot hand_ = store::detail::SlotList::none;
};

static_assert(EvictionPolicy<SieveEviction>);

} // namespace mooncake
