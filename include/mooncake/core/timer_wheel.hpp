#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace mooncake {

/// A hierarchical timer wheel of four levels of 64 slots: a pure data structure over ticks, without clock or thread.
/// Adding, removing and firing are O(1); a node further away than 64⁴ ticks waits in the last level for another round.
/// Nodes are intrusive: the caller owns them and removes them, or lets them fire, before they die.
class TimerWheel {
  public:
    struct Node {
        Node() = default;
        Node(const Node&) = delete;
        Node& operator=(const Node&) = delete;

        [[nodiscard]] bool linked() const noexcept { return owner != nullptr; }

        std::uint64_t due = 0; ///< tick at which it fires
        Node* previous = nullptr;
        Node* next = nullptr;
        Node** owner = nullptr; ///< head of the slot's list
        std::uint8_t level = 0;
        std::uint8_t slot = 0;
    };

    /// Fires at the first `advance` to `due` or later; a `due` in the past fires at the next tick.
    void add(Node& node, std::uint64_t due) noexcept {
        node.due = due;
        ++size_;
        link(node);
    }

    /// Nothing happens when it is not linked.
    void remove(Node& node) noexcept {
        if (!node.linked()) return;
        --size_;
        unlink(node);
    }

    /// Moves time to `tick` and calls `fire(Node&)` for each node due, which is unlinked by then and may be added again.
    template <class Fire>
    void advance(std::uint64_t tick, Fire&& fire) {
        while (now_ < tick) {
            if (size_ == 0) {
                now_ = tick;
                return;
            }
            ++now_;
            for (std::uint8_t level = levels - 1; level > 0; --level)
                if ((now_ & ((std::uint64_t{1} << (bits * level)) - 1)) == 0) cascade(level);
            auto& head = slots_[0][now_ % width];
            while (head) {
                auto& node = *head;
                remove(node);
                fire(node);
            }
        }
    }

    /// A tick at which something may happen: not later than the first node is due. Empty when there is no node.
    [[nodiscard]] std::optional<std::uint64_t> next() const noexcept {
        if (size_ == 0) return std::nullopt;
        auto soonest = std::numeric_limits<std::uint64_t>::max();
        for (std::uint8_t level = 0; level < levels; ++level) {
            if (occupied_[level] == 0) continue;
            const auto turn = now_ >> (bits * level);
            const auto ahead = std::rotr(occupied_[level], static_cast<int>((turn + 1) % width));
            const auto steps = static_cast<std::uint64_t>(std::countr_zero(ahead)) + 1;
            soonest = std::min(soonest, (turn + steps) << (bits * level));
        }
        return soonest;
    }

    [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    static constexpr std::uint8_t levels = 4;
    static constexpr int bits = 6;
    static constexpr std::uint64_t width = std::uint64_t{1} << bits;

    void link(Node& node) noexcept {
        auto due = node.due > now_ ? node.due : now_ + 1;
        constexpr auto horizon = (std::uint64_t{1} << (bits * levels)) - 1;
        if (due - now_ > horizon) due = now_ + horizon;
        std::uint8_t level = 0;
        while (level + 1 < levels && (due - now_) >> (bits * (level + 1)) != 0) ++level;
        node.level = level;
        node.slot = static_cast<std::uint8_t>((due >> (bits * level)) % width);
        auto& head = slots_[node.level][node.slot];
        node.owner = &head;
        node.previous = nullptr;
        node.next = head;
        if (head) head->previous = &node;
        head = &node;
        occupied_[node.level] |= std::uint64_t{1} << node.slot;
    }

    void unlink(Node& node) noexcept {
        if (node.previous) node.previous->next = node.next;
        else *node.owner = node.next;
        if (node.next) node.next->previous = node.previous;
        if (!slots_[node.level][node.slot]) occupied_[node.level] &= ~(std::uint64_t{1} << node.slot);
        node.previous = node.next = nullptr;
        node.owner = nullptr;
    }

    void cascade(std::uint8_t level) noexcept {
        auto& head = slots_[level][(now_ >> (bits * level)) % width];
        auto* node = head;
        while (node) {
            auto* const following = node->next;
            unlink(*node);
            // A node due right now belongs to the level-0 slot that is about to fire.
            if (node->due <= now_) link_now(*node);
            else link(*node);
            node = following;
        }
    }

    void link_now(Node& node) noexcept {
        const auto actual = now_;
        now_ = actual - 1; // so that `link` takes `actual` for the next tick
        link(node);
        now_ = actual;
    }

    std::array<std::array<Node*, width>, levels> slots_{};
    std::array<std::uint64_t, levels> occupied_{};
    std::uint64_t now_ = 0;
    std::size_t size_ = 0;
};

} // namespace mooncake
