#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/store/allocator/concept.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace mooncake {
namespace store::detail {

/// Size classes of free extents: floats with five bits of mantissa, so that a class spans at most 1/32 of its sizes
/// and every size up to 64 granules, and every power of two, has a class that begins exactly there.
struct SizeClass {
    static constexpr unsigned mantissa_bits = 5;
    static constexpr std::uint32_t per_exponent = 1U << mantissa_bits;
    static constexpr std::uint32_t count = (64 - mantissa_bits + 1) * per_exponent;

    /// The class that holds free extents of `granules`; all below it hold smaller ones.
    static constexpr std::uint32_t floor(std::uint64_t granules) noexcept {
        if (granules < per_exponent) return static_cast<std::uint32_t>(granules);
        const auto exponent = static_cast<unsigned>(std::bit_width(granules)) - mantissa_bits - 1;
        const auto mantissa = static_cast<std::uint32_t>(granules >> exponent) & (per_exponent - 1);
        return (exponent + 1) * per_exponent + mantissa;
    }

    /// The first class of which every extent is at least `granules` large.
    static constexpr std::uint32_t ceil(std::uint64_t granules) noexcept {
        const auto at = floor(granules);
        return least(at) == granules ? at : at + 1;
    }

    /// The smallest size in a class.
    static constexpr std::uint64_t least(std::uint32_t size_class) noexcept {
        if (size_class < per_exponent) return size_class;
        const auto exponent = size_class / per_exponent - 1;
        return std::uint64_t{per_exponent + size_class % per_exponent} << exponent;
    }
};

} // namespace store::detail

/// Choose this when: in doubt. Segregated fits with two-level bitmaps (TLSF) over extents that live outside of the
/// space.
///
/// A request takes the front of an extent out of the first class whose members all fit: O(1). When there is none, up to
/// `exact_search` extents of the one class whose members *may* fit are tried, so that an exact fit is found when it is
/// all that is left. Extents keep their exact size: classes only search, they waste nothing.
/// Worst case: with live sizes between m and M, a request may fail with as much as (1 - m / (m + M)) of the space free,
/// as with any allocator that cannot move extents; equal sizes never fragment.
/// Memory: 40 bytes an extent, free or live.
class OffsetAllocator {
  public:
    static constexpr std::uint64_t granularity = 64;
    static constexpr std::uint32_t exact_search = 256;

    /// Bytes that do not fill a granule at the end are left out.
    explicit OffsetAllocator(std::uint64_t capacity) : free_(capacity / granularity) {
        heads_.fill(none);
        if (free_ != 0) insert_free(make_node(0, free_, none, none));
    }

    [[nodiscard]] std::optional<Allocation> allocate(std::uint64_t bytes) {
        if (bytes > free_ * granularity) return std::nullopt;
        const auto granules = granules_of(bytes);
        const auto at = find(granules);
        if (at == none) return std::nullopt;
        remove_free(at);
        if (const auto rest = nodes_[at].size - granules; rest != 0) split(at, granules, rest);
        free_ -= granules;
        return Allocation{.offset = nodes_[at].begin * granularity, .handle = at};
    }

    void free(const Allocation& allocation, [[maybe_unused]] std::uint64_t bytes) {
        auto at = static_cast<Index>(allocation.handle);
        const auto live =
            at < nodes_.size() && !nodes_[at].is_free && nodes_[at].begin * granularity == allocation.offset;
        assert(live && "not an extent that is allocated");
        if (!live) return;
        assert(nodes_[at].size == granules_of(bytes) && "not the size it was allocated with");
        free_ += nodes_[at].size;
        if (const auto before = nodes_[at].before; before != none && nodes_[before].is_free) {
            remove_free(before);
            at = merge(before, at);
        }
        if (const auto after = nodes_[at].after; after != none && nodes_[after].is_free) {
            remove_free(after);
            merge(at, after);
        }
        insert_free(at);
    }

    [[nodiscard]] std::uint64_t free_bytes() const noexcept { return free_ * granularity; }

    /// Complexity: O(extents of the largest class that has any).
    [[nodiscard]] std::uint64_t largest_free() const noexcept {
        if (occupied_ == 0) return 0;
        const auto exponent = static_cast<std::uint32_t>(std::bit_width(occupied_)) - 1;
        const auto mantissa = static_cast<std::uint32_t>(std::bit_width(mantissas_[exponent])) - 1;
        auto largest = std::uint64_t{0};
        for (auto at = heads_[exponent * Class::per_exponent + mantissa]; at != none; at = nodes_[at].next)
            largest = std::max(largest, nodes_[at].size);
        return largest * granularity;
    }

  private:
    using Class = store::detail::SizeClass;
    using Index = std::uint32_t;
    static constexpr Index none = std::numeric_limits<Index>::max();

    struct Node {
        std::uint64_t begin, size; // in granules
        Index before, after;       // neighbours in the space
        Index previous, next;      // in the list of the class, while free; `next` also strings unused nodes
        bool is_free;
    };

    static constexpr std::uint64_t granules_of(std::uint64_t bytes) noexcept {
        return std::max<std::uint64_t>(1, bytes / granularity + (bytes % granularity != 0));
    }

    [[nodiscard]] Index find(std::uint64_t granules) const noexcept {
        if (const auto fits = first_class(Class::ceil(granules)); fits != none) return heads_[fits];
        auto at = heads_[Class::floor(granules)];
        for (auto tries = exact_search; at != none && tries != 0; at = nodes_[at].next, --tries)
            if (nodes_[at].size >= granules) return at;
        return none;
    }

    /// The first class at or above `from` that has an extent.
    [[nodiscard]] Index first_class(std::uint32_t from) const noexcept {
        if (from >= Class::count) return none;
        auto exponent = from / Class::per_exponent;
        auto mantissas = mantissas_[exponent] & (~std::uint32_t{0} << from % Class::per_exponent);
        if (mantissas == 0) {
            const auto above = exponent == 63 ? 0 : occupied_ & (~std::uint64_t{0} << (exponent + 1));
            if (above == 0) return none;
            exponent = static_cast<std::uint32_t>(std::countr_zero(above));
            mantissas = mantissas_[exponent];
        }
        return exponent * Class::per_exponent + static_cast<std::uint32_t>(std::countr_zero(mantissas));
    }

    void insert_free(Index at) noexcept {
        auto& node = nodes_[at];
        const auto size_class = Class::floor(node.size);
        node.is_free = true;
        node.previous = none;
        node.next = heads_[size_class];
        if (node.next != none) nodes_[node.next].previous = at;
        heads_[size_class] = at;
        mantissas_[size_class / Class::per_exponent] |= 1U << size_class % Class::per_exponent;
        occupied_ |= std::uint64_t{1} << size_class / Class::per_exponent;
    }

    void remove_free(Index at) noexcept {
        auto& node = nodes_[at];
        node.is_free = false;
        if (node.next != none) nodes_[node.next].previous = node.previous;
        if (node.previous != none) {
            nodes_[node.previous].next = node.next;
            return;
        }
        const auto size_class = Class::floor(node.size);
        heads_[size_class] = node.next;
        if (node.next != none) return;
        auto& mantissas = mantissas_[size_class / Class::per_exponent];
        mantissas &= ~(1U << size_class % Class::per_exponent);
        if (mantissas == 0) occupied_ &= ~(std::uint64_t{1} << size_class / Class::per_exponent);
    }

    void split(Index at, std::uint64_t granules, std::uint64_t rest) {
        const auto tail = make_node(nodes_[at].begin + granules, rest, at, nodes_[at].after);
        if (nodes_[tail].after != none) nodes_[nodes_[tail].after].before = tail;
        nodes_[at].after = tail;
        nodes_[at].size = granules;
        insert_free(tail);
    }

    /// `left` grows over its neighbour `right`, whose node is free for reuse.
    Index merge(Index left, Index right) noexcept {
        nodes_[left].size += nodes_[right].size;
        nodes_[left].after = nodes_[right].after;
        if (nodes_[left].after != none) nodes_[nodes_[left].after].before = left;
        nodes_[right].next = unused_;
        nodes_[right].is_free = true; // as far as `free` is concerned
        unused_ = right;
        return left;
    }

    Index make_node(std::uint64_t begin, std::uint64_t size, Index before, Index after) {
        auto at = unused_;
        if (at == none) {
            at = static_cast<Index>(nodes_.size());
            nodes_.emplace_back();
        } else {
            unused_ = nodes_[at].next;
        }
        nodes_[at] = Node{begin, size, before, after, none, none, false};
        return at;
    }

    std::uint64_t free_;         // granules
    std::uint64_t occupied_ = 0; // exponents that have an extent
    std::array<std::uint32_t, 64> mantissas_{};
    std::array<Index, Class::count> heads_;
    std::vector<Node> nodes_;
    Index unused_ = none;
};

static_assert(SpaceAllocator<OffsetAllocator>);

} // namespace mooncake
