#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mooncake::store::detail {

/// `Count` queues of slots, each slot in at most one, their links in one vector: no allocation once that is as large as the
/// domain. The front is where slots come in. A slot may be set aside: it still counts as its queue's, and nobody comes
/// across it there until it is back. A `Note` lies beside each slot's links.
template <std::size_t Count, class Note>
class SlotQueues {
  public:
    static constexpr Slot none = std::numeric_limits<Slot>::max();
    static_assert(Count < 255);

    /// Of all queues.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// What the entries of `queue` would give back.
    [[nodiscard]] std::uint64_t bytes(std::size_t queue) const noexcept { return ends_[queue].bytes; }
    [[nodiscard]] std::size_t queue_of(Slot slot) const noexcept { return nodes_[slot].queue; }
    [[nodiscard]] std::uint64_t bytes_of(Slot slot) const noexcept { return nodes_[slot].bytes; }
    [[nodiscard]] Note& note(Slot slot) noexcept { return nodes_[slot].note; }
    [[nodiscard]] const Note& note(Slot slot) const noexcept { return nodes_[slot].note; }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { __builtin_prefetch(&nodes_[slot], 1); }

    /// `slot` comes to the front of `queue`, with a note that says nothing yet.
    void insert(std::size_t queue, Slot slot, std::uint64_t bytes) {
        if (slot >= nodes_.size()) nodes_.resize(slot + std::size_t{1});
        nodes_[slot] = {.bytes = bytes};
        ++size_;
        link_front(queue, slot);
    }
    void remove(Slot slot) noexcept {
        unlink(slot);
        --size_;
    }
    /// From wherever it is, and no longer aside.
    void move_to_front(std::size_t queue, Slot slot) noexcept {
        unlink(slot);
        link_front(queue, slot);
    }

    /// The oldest of `queue` for which `evictable`; those before it are set aside. `none`: there is none.
    template <class Evictable>
    [[nodiscard]] Slot oldest(std::size_t queue, const Evictable& evictable) {
        while (ends_[queue].back != none) {
            const auto slot = ends_[queue].back;
            if (evictable(slot)) return slot;
            const auto bytes = nodes_[slot].bytes;
            unlink(slot);
            nodes_[slot].aside = true;
            ends_[queue].bytes += bytes;
        }
        return none;
    }
    /// If it is aside, it is the oldest of its queue now.
    void bring_back(Slot slot) noexcept {
        auto& node = nodes_[slot];
        if (!node.aside) return;
        node.aside = false;
        auto& ends = ends_[node.queue];
        node.newer = ends.back;
        node.older = none;
        (ends.back == none ? ends.front : nodes_[ends.back].older) = slot;
        ends.back = slot;
    }

  private:
    struct Node {
        Slot newer = none, older = none;
        std::uint64_t bytes = 0;
        std::uint8_t queue = 0;
        bool aside = false;
        Note note{};
    };
    struct Ends {
        Slot front = none, back = none;
        std::uint64_t bytes = 0;
    };

    void link_front(std::size_t queue, Slot slot) noexcept {
        auto& node = nodes_[slot];
        auto& ends = ends_[queue];
        node.queue = static_cast<std::uint8_t>(queue);
        node.newer = none;
        node.older = ends.front;
        (ends.front == none ? ends.back : nodes_[ends.front].newer) = slot;
        ends.front = slot;
        ends.bytes += node.bytes;
    }
    void unlink(Slot slot) noexcept {
        auto& node = nodes_[slot];
        auto& ends = ends_[node.queue];
        ends.bytes -= node.bytes;
        if (node.aside) {
            node.aside = false;
            return;
        }
        (node.newer == none ? ends.front : nodes_[node.newer].older) = node.older;
        (node.older == none ? ends.back : nodes_[node.older].newer) = node.newer;
    }

    std::vector<Node> nodes_;
    std::array<Ends, Count> ends_{};
    std::size_t size_ = 0;
};

} // namespace mooncake::store::detail
