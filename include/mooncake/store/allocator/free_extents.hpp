#pragma once

#include <mooncake/store/allocator/extent_nodes.hpp>
#include <mooncake/store/allocator/index_set.hpp>
#include <mooncake/store/allocator/size_class.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The free extents of a space by their size. Bitmaps find the class. A class of one size is a list; a class of more is a
/// binary trie over the bits in which they differ, and in each of its nodes hangs a list of those of one size.
/// Complexity: a walk down one trie at most, so O(1): no more than `SizeClass::low_bits` steps (6 for sizes near 1 MiB, 26
/// for 1 TiB), nor than there are different sizes in the class.
/// Source: the large bins of Doug Lea's malloc 2.8 ("treebins"), 128 times as fine, with the bitmaps of TLSF (Masmano et
/// al., 2004).
class FreeExtents {
  public:
    using Index = ExtentNode::Index;
    static constexpr Index none = ExtentNode::none;

    /// For extents of at most `granules`.
    explicit FreeExtents(std::uint64_t granules)
        : classes_(SizeClass::of(granules) + 1), heads_(SizeClass::of(granules) + 1, none) {}

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return heads_.capacity() * sizeof(Index) + classes_.bytes(); }

    /// Takes out the smallest that has at least `granules`: `none` when there is none.
    [[nodiscard]] Index take(ExtentNodes& nodes, std::uint64_t granules) noexcept {
        auto size_class = SizeClass::of(granules);
        if (size_class >= heads_.size()) return none;
        auto* link = best_in(nodes, size_class, granules);
        if (link == nullptr) {
            size_class = classes_.after(size_class);
            if (size_class == none) return none;
            link = &heads_[size_class];
            if (size_class >= SizeClass::exact) link = smallest_below(nodes, *link);
        }
        --size_;
        const auto head = *link;
        if (size_class < SizeClass::exact) {
            pop(nodes, size_class);
            return head;
        }
        const auto found = nodes[head].next; // easier to take out than what is in the tree
        if (found == none) {
            unlink(nodes, head, *link, size_class);
            return head;
        }
        unchain(nodes, found, head);
        return found;
    }

    /// In granules; 0 when nothing is free.
    [[nodiscard]] std::uint64_t largest(const ExtentNodes& nodes) const noexcept {
        const auto size_class = classes_.last();
        if (size_class == none) return 0;
        if (size_class < SizeClass::exact) return size_class;
        auto most = std::uint64_t{0};
        for (auto at = heads_[size_class]; at != none;) {
            const auto& node = nodes[at];
            if (node.granules > most) most = node.granules;
            const auto& children = node.children;
            at = children[1] != none ? children[1] : children[0];
        }
        return most;
    }

    /// Requires: its size is set, and it is not in yet.
    void insert(ExtentNodes& nodes, Index at) noexcept {
        auto& node = nodes[at];
        const auto granules = node.granules;
        const auto size_class = SizeClass::of(granules);
        ++size_;
        if (size_class < SizeClass::exact) return push(nodes, size_class, at);
        auto* link = &heads_[size_class];
        if (*link == none) classes_.insert(size_class);
        for (auto path = path_of(granules); *link != none; path <<= 1) {
            auto& there = nodes[*link];
            if (there.granules == granules) return chain(nodes, at, *link);
            link = &there.children[path >> 63];
        }
        node.children = {none, none};
        node.previous = ExtentNode::first;
        node.next = none;
        *link = at;
    }

    /// Requires: it is in, and its size is what it was.
    void remove(ExtentNodes& nodes, Index at) noexcept {
        const auto& node = nodes[at];
        --size_;
        if (node.previous != ExtentNode::first) return unchain(nodes, at, node.previous);
        const auto size_class = SizeClass::of(node.granules);
        if (size_class < SizeClass::exact) return pop(nodes, size_class);
        auto* link = &heads_[size_class];
        for (auto path = path_of(node.granules); *link != at; path <<= 1) link = &nodes[*link].children[path >> 63];
        unlink(nodes, at, *link, size_class);
    }

  private:
    /// The bits in which the sizes of a class differ, the highest first.
    static constexpr std::uint64_t path_of(std::uint64_t granules) noexcept {
        return granules << (63 - SizeClass::low_bits(granules)) << 1;
    }

    /// The place of the smallest of at least `granules` in a class, or null.
    [[nodiscard]] Index* best_in(ExtentNodes& nodes, std::uint32_t size_class, std::uint64_t granules) noexcept {
        auto& head = heads_[size_class];
        if (size_class >= SizeClass::exact) return best_below(nodes, head, granules);
        return head == none ? nullptr : &head;
    }

    /// The same in a tree.
    [[nodiscard]] static Index* best_below(ExtentNodes& nodes, Index& root, std::uint64_t granules) noexcept {
        Index *best = nullptr, *larger = nullptr; // the tree nearest to the path whose members all are larger
        auto least = ~std::uint64_t{0};
        auto* link = &root;
        for (auto path = path_of(granules); *link != none; path <<= 1) {
            auto& node = nodes[*link];
            if (node.granules == granules) return link;
            if (node.granules > granules && node.granules < least) {
                least = node.granules;
                best = link;
            }
            const auto bit = path >> 63;
            if (bit == 0 && node.children[1] != none) larger = &node.children[1];
            link = &node.children[bit];
        }
        if (larger == nullptr) return best;
        auto* const other = smallest_below(nodes, *larger);
        return nodes[*other].granules < least ? other : best;
    }

    /// The place of the smallest in a tree. Requires: it has one.
    [[nodiscard]] static Index* smallest_below(ExtentNodes& nodes, Index& root) noexcept {
        auto* best = &root;
        auto least = nodes[root].granules;
        for (auto* link = smaller_child(nodes[root]); *link != none; link = smaller_child(nodes[*link])) {
            const auto granules = nodes[*link].granules;
            if (granules >= least) continue;
            least = granules;
            best = link;
        }
        return best;
    }

    [[nodiscard]] static Index* smaller_child(ExtentNode& node) noexcept {
        return &node.children[node.children[0] == none];
    }
    [[nodiscard]] static Index* larger_child(ExtentNode& node) noexcept {
        return &node.children[node.children[1] != none];
    }

    /// Onto and off the list of a class that has one size.
    void push(ExtentNodes& nodes, std::uint32_t size_class, Index at) noexcept {
        auto& node = nodes[at];
        node.previous = ExtentNode::first;
        node.next = std::exchange(heads_[size_class], at);
        if (node.next == none) classes_.insert(size_class);
        else nodes[node.next].previous = at;
    }
    void pop(ExtentNodes& nodes, std::uint32_t size_class) noexcept {
        auto& head = heads_[size_class];
        head = nodes[head].next;
        if (head == none) classes_.erase(size_class);
        else nodes[head].previous = ExtentNode::first;
    }

    /// Into and out of the list of one size in a tree, behind the one before.
    static void chain(ExtentNodes& nodes, Index at, Index before) noexcept {
        auto& node = nodes[at];
        node.previous = before;
        node.next = std::exchange(nodes[before].next, at);
        if (node.next != none) nodes[node.next].previous = at;
    }
    static void unchain(ExtentNodes& nodes, Index at, Index before) noexcept {
        const auto next = nodes[at].next;
        nodes[before].next = next;
        if (next != none) nodes[next].previous = before;
    }

    /// Out of the tree: another of its size takes the place, or any leaf below it.
    void unlink(ExtentNodes& nodes, Index at, Index& link, std::uint32_t size_class) noexcept {
        auto& node = nodes[at];
        auto heir = node.next;
        if (heir == none) {
            auto* leaf = larger_child(node);
            if (*leaf == none) {
                link = none;
                if (heads_[size_class] == none) classes_.erase(size_class);
                return;
            }
            for (auto* below = larger_child(nodes[*leaf]); *below != none; below = larger_child(nodes[*leaf]))
                leaf = below;
            heir = std::exchange(*leaf, none);
        }
        nodes[heir].previous = ExtentNode::first;
        nodes[heir].children = node.children;
        link = heir;
    }

    std::uint64_t size_ = 0;
    IndexSet classes_; // that have an extent
    std::vector<Index> heads_;
};

} // namespace mooncake::store::detail
