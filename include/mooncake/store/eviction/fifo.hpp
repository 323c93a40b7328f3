#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/slot_queues.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace mooncake {

/// Choose this when: what is used says nothing about what will be, and hits are to cost nothing at all. The oldest goes
/// first. Complexity: O(1).
class FifoEviction {
  public:
    static constexpr std::string_view name = "fifo";

    void insert(Slot slot, const EvictionEntry& entry) { order_.insert(0, slot, entry.bytes); }
    void touch(Slot, TimePoint) noexcept {}
    void remove(Slot slot, Departure) noexcept { order_.remove(slot); }
    void reconsider(Slot slot) noexcept { order_.bring_back(slot); }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        const auto slot = order_.oldest(0, evictable);
        return slot == Order::none ? std::nullopt : std::optional(slot);
    }

    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    struct Nothing {};
    using Order = store::detail::SlotQueues<1, Nothing>;
    Order order_;
};

static_assert(EvictionPolicy<FifoEviction> && ReconsideringPolicy<FifoEviction>);

} // namespace mooncake
