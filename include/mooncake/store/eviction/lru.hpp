#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/slot_list.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace mooncake {

/// Choose this when: in doubt, or when what was used last will be used next. Exact least recently used, two links a
/// slot. Complexity: everything O(1); `victim` adds one step for each older slot that is not evictable.
class LruEviction {
  public:
    static constexpr std::string_view name = "lru";

    void insert(Slot slot, const EvictionEntry&) { order_.push_front(slot); }
    void touch(Slot slot) noexcept { order_.move_to_front(slot); }
    void remove(Slot slot) noexcept { order_.remove(slot); }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) const {
        for (auto slot = order_.back(); slot != order_.none; slot = order_.newer(slot))
            if (evictable(slot)) return slot;
        return std::nullopt;
    }

    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    store::detail::SlotList order_;
};

static_assert(EvictionPolicy<LruEviction>);

} // namespace mooncake
