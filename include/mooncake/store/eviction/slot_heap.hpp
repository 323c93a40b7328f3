#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Slots by a key, the least first: a binary heap in a vector that knows where each slot is. A slot's key stays when it
/// leaves. Complexity: O(log n) for what changes it.
template <class Key>
class SlotHeap {
  public:
    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
    [[nodiscard]] Slot least() const noexcept { return heap_.front(); }
    [[nodiscard]] bool contains(Slot slot) const noexcept { return entries_[slot].place != nowhere; }
    [[nodiscard]] const Key& key(Slot slot) const noexcept { return entries_[slot].key; }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { __builtin_prefetch(&entries_[slot], 1); }

    /// `slot` has this key now, and is in the heap if it was, or was never seen before.
    void set(Slot slot, const Key& key) {
        if (slot >= entries_.size()) entries_.resize(slot + std::size_t{1});
        entries_[slot].key = key;
        if (contains(slot)) settle(entries_[slot].place, slot);
    }
    void push(Slot slot) {
        heap_.push_back(slot);
        settle(static_cast<Place>(heap_.size() - 1), slot);
    }
    void remove(Slot slot) {
        const auto place = std::exchange(entries_[slot].place, nowhere);
        const auto last = heap_.back();
        heap_.pop_back();
        if (last != slot) settle(place, last);
    }

  private:
    using Place = std::uint32_t;
    static constexpr Place nowhere = std::numeric_limits<Place>::max();

    struct Entry {
        Key key{};
        Place place = nowhere;
    };

    [[nodiscard]] bool before(Slot a, Slot b) const noexcept { return entries_[a].key < entries_[b].key; }
    void put(Place place, Slot slot) noexcept {
        heap_[place] = slot;
        entries_[slot].place = place;
    }
    /// Puts `slot` where it belongs, `place` being free for it.
    void settle(Place place, Slot slot) noexcept {
        for (; place != 0 && before(slot, heap_[(place - 1) / 2]); place = (place - 1) / 2)
            put(place, heap_[(place - 1) / 2]);
        for (;;) {
            auto child = 2 * std::size_t{place} + 1;
            if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
            if (child >= heap_.size() || !before(heap_[child], slot)) break;
            put(place, heap_[child]);
            place = static_cast<Place>(child);
        }
        put(place, slot);
    }

    std::vector<Slot> heap_;
    std::vector<Entry> entries_; // by slot
};

} // namespace mooncake::store::detail
