#pragma once

#include <mooncake/serving/index/prefix_index.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// The cache of a simulated instance.
///
/// | expression | effect | complexity |
/// |---|---|---|
/// | `C(capacity)` | room for so many blocks | |
/// | `c.match(blocks)` | how many leading blocks are there; changes nothing | O(blocks) |
/// | `c.insert(blocks, added, evicted)` | all are used, head to tail; those that are absent come in, and what has to go for them goes; appends what came and what went. A block may come and go in one call | O(blocks) |
/// | `c.insert_spare(blocks, added)` | those that are absent come in as far as places are free, and are the first to go, the tail before the head, until they are used; appends what came | O(blocks) |
/// | `c.pin(blocks)`, `c.unpin(blocks)` | those that are there cannot go until they are unpinned as often; unpinned is used, the tail first | O(blocks) |
/// | `c.make_room(blocks, evicted)` | so many places are free, if what is pinned leaves as many | O(evicted) |
/// | `c.size()`, `c.pinned()` | blocks there, and those of them that cannot go | O(1) |
template <class C>
concept BlockCache = std::movable<C> && std::constructible_from<C, std::size_t> &&
                     requires(C& cache, const C& fixed, std::span<const BlockKey> blocks, std::vector<BlockKey>& out) {
                         { fixed.match(blocks) } -> std::same_as<std::uint32_t>;
                         { cache.insert(blocks, out, out) } -> std::same_as<void>;
                         { cache.insert_spare(blocks, out) } -> std::same_as<void>;
                         { cache.pin(blocks) } -> std::same_as<void>;
                         { cache.unpin(blocks) } -> std::same_as<void>;
                         { cache.make_room(std::size_t{}, out) } -> std::same_as<bool>;
                         { fixed.size() } -> std::same_as<std::size_t>;
                         { fixed.pinned() } -> std::same_as<std::size_t>;
                     };

/// Least recently used goes first.
class LruBlockCache {
  public:
    explicit LruBlockCache(std::size_t capacity) : capacity_(capacity), table_(64), nodes_(1) {}

    [[nodiscard]] std::uint32_t match(std::span<const BlockKey> blocks) const noexcept {
        auto count = std::uint32_t{0};
        while (count < blocks.size() && table_[find(blocks[count])] != 0) ++count;
        return count;
    }

    void insert(std::span<const BlockKey> blocks, std::vector<BlockKey>& added, std::vector<BlockKey>& evicted) {
        for (const auto key : blocks) {
            if (const auto node = table_[find(key)]; node != 0) {
                if (nodes_[node].pins == 0) unlink(node), link(node);
                continue;
            }
            if (!make_room(1, evicted)) continue;
            add(key);
            added.push_back(key);
        }
    }

    void insert_spare(std::span<const BlockKey> blocks, std::vector<BlockKey>& added) {
        for (const auto key : blocks) {
            if (table_[find(key)] != 0) continue;
            if (size_ == capacity_) return;
            add(key);
            const auto node = nodes_[0].previous;
            unlink(node), link_first(node);
            added.push_back(key);
        }
    }

    void pin(std::span<const BlockKey> blocks) {
        for (const auto key : blocks)
            if (const auto node = table_[find(key)]; node != 0 && nodes_[node].pins++ == 0) unlink(node), ++pinned_;
    }
    void unpin(std::span<const BlockKey> blocks) {
        for (auto i = blocks.size(); i-- != 0;)
            if (const auto node = table_[find(blocks[i])];
                node != 0 && nodes_[node].pins != 0 && --nodes_[node].pins == 0)
                link(node), --pinned_;
    }

    bool make_room(std::size_t blocks, std::vector<BlockKey>& evicted) {
        while (size_ + blocks > capacity_) {
            const auto oldest = nodes_[0].next;
            if (oldest == 0) return false;
            evicted.push_back(nodes_[oldest].key);
            erase(oldest);
        }
        return true;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t pinned() const noexcept { return pinned_; }

  private:
    using NodeId = std::uint32_t; // 0 is the end of the list
    struct Node {
        BlockKey key = 0;
        NodeId previous = 0, next = 0;
        std::uint32_t pins = 0;
    };

    [[nodiscard]] std::size_t home(BlockKey key) const noexcept {
        const auto mixed = (key ^ (key >> 32)) * 0x9e3779b97f4a7c15ULL;
        return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(table_.size())));
    }
    [[nodiscard]] std::size_t find(BlockKey key) const noexcept {
        auto at = home(key);
        while (table_[at] != 0 && nodes_[table_[at]].key != key) at = (at + 1) & (table_.size() - 1);
        return at;
    }

    void link(NodeId node) noexcept { // as the latest
        const auto last = nodes_[0].previous;
        nodes_[node].previous = last, nodes_[node].next = 0;
        nodes_[last].next = node, nodes_[0].previous = node;
    }
    void link_first(NodeId node) noexcept { // as the oldest
        const auto first = nodes_[0].next;
        nodes_[node].next = first, nodes_[node].previous = 0;
        nodes_[first].previous = node, nodes_[0].next = node;
    }
    void unlink(NodeId node) noexcept {
        nodes_[nodes_[node].previous].next = nodes_[node].next;
        nodes_[nodes_[node].next].previous = nodes_[node].previous;
    }

    void add(BlockKey key) {
        if ((size_ + 1) * 2 > table_.size()) grow();
        auto node = static_cast<NodeId>(nodes_.size());
        if (free_.empty()) nodes_.emplace_back();
        else node = free_.back(), free_.pop_back();
        nodes_[node] = {.key = key};
        table_[find(key)] = node;
        link(node);
        ++size_;
    }

    void erase(NodeId node) {
        unlink(node);
        const auto mask = table_.size() - 1;
        auto at = find(nodes_[node].key);
        table_[at] = 0;
        for (auto next = (at + 1) & mask; table_[next] != 0; next = (next + 1) & mask) {
            if (((next - home(nodes_[table_[next]].key)) & mask) < ((next - at) & mask)) continue;
            table_[at] = std::exchange(table_[next], 0);
            at = next;
        }
        free_.push_back(node);
        --size_;
    }

    void grow() {
        const auto old = std::exchange(table_, std::vector<NodeId>(table_.size() * 2));
        for (const auto node : old)
            if (node != 0) table_[find(nodes_[node].key)] = node;
    }

    std::size_t capacity_;
    std::size_t size_ = 0, pinned_ = 0;
    std::vector<NodeId> table_; // a power of two of places
    std::vector<Node> nodes_;   // of the list by use; the first is its end, and pinned ones are not in it
    std::vector<NodeId> free_;
};

static_assert(BlockCache<LruBlockCache>);

} // namespace mooncake
