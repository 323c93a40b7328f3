#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/slot_heap.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mooncake {

/// Choose this when: what is popular stays popular. The least used goes first, of those the least recently used; an
/// object that comes back begins anew. It never forgets, so what was popular once stays: W-TinyLFU and S3-FIFO are mostly
/// better. Complexity: O(log n).
class LfuEviction {
  public:
    static constexpr std::string_view name = "lfu";

    void insert(Slot slot, const EvictionEntry&) {
        order_.set(slot, {.uses = 1, .last = ++clock_});
        order_.push(slot);
        ++size_;
    }
    void touch(Slot slot, TimePoint) { order_.set(slot, {.uses = order_.key(slot).uses + 1, .last = ++clock_}); }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { order_.prefetch(slot); }
    void remove(Slot slot, Departure) {
        if (order_.contains(slot)) order_.remove(slot);
        --size_;
    }
    void reconsider(Slot slot) {
        if (!order_.contains(slot)) order_.push(slot);
    }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        for (; !order_.empty(); order_.remove(order_.least()))
            if (const auto slot = order_.least(); evictable(slot)) return slot;
        return std::nullopt;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    struct Use {
        std::uint64_t uses = 0, last = 0;
        auto operator<=>(const Use&) const = default;
    };

    store::detail::SlotHeap<Use> order_; // of those that were not passed over
    std::size_t size_ = 0;
    std::uint64_t clock_ = 0;
};

static_assert(EvictionPolicy<LfuEviction> && ReconsideringPolicy<LfuEviction>);

} // namespace mooncake
