#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <type_traits>

namespace mooncake::store::detail {

/// An extent of a space, live or free, or a node that waits for one. Sizes and places in granules.
/// A free one needs no `begin`: its neighbours are live, so the next one's tells it.
struct ExtentNode {
    using Index = std::uint32_t;
    static constexpr Index none = std::numeric_limits<Index>::max();
    static constexpr Index first = none, live = none - 1, unused = none - 2; ///< for `previous`
    static constexpr Index most = unused;                                    ///< nodes in a space

    std::uint64_t granules;
    Index before, after; ///< neighbours in the space
    union {
        std::uint64_t begin;           ///< while live
        std::array<Index, 2> children; ///< while free, and in the trie of a class
    };
    Index previous; ///< in the list of free ones of one size, or what else it is
    Index next;     ///< in that list; also strings the unused

    /// Requires: it is not unused.
    [[nodiscard]] bool is_free() const noexcept { return previous != live; }
};
static_assert(sizeof(ExtentNode) == 32, "two in a cache line");
static_assert(std::is_trivially_copyable_v<ExtentNode> && std::is_trivially_default_constructible_v<ExtentNode>);

/// The nodes of a space, by index.
class ExtentNodes {
  public:
    using Index = ExtentNode::Index;

    [[nodiscard]] ExtentNode& operator[](Index at) noexcept { return nodes_.get()[at]; }
    [[nodiscard]] const ExtentNode& operator[](Index at) const noexcept { return nodes_.get()[at]; }

    /// Whether there was ever a node of that index.
    [[nodiscard]] bool contains(std::uint64_t at) const noexcept { return at < made_; }

    /// So that `make` has one to give: false when there are as many as indices, or the memory is at an end.
    [[nodiscard]] bool reserve_one() noexcept { return unused_ != ExtentNode::none || made_ != reserved_ || grow(); }

    /// Requires: `reserve_one()` just before.
    [[nodiscard]] Index make() noexcept {
        if (unused_ == ExtentNode::none) return made_++;
        const auto at = unused_;
        unused_ = (*this)[at].next;
        return at;
    }

    void recycle(Index at) noexcept {
        auto& node = (*this)[at];
        node.previous = ExtentNode::unused;
        node.next = unused_;
        unused_ = at;
    }

    /// That they take. What is only reserved was never touched, and takes none.
    [[nodiscard]] std::size_t bytes() const noexcept { return made_ * sizeof(ExtentNode); }

  private:
    /// Many nodes are moved by their page tables, where the C library can: a `std::vector` would copy them meanwhile.
    [[nodiscard]] bool grow() noexcept {
        if (reserved_ == ExtentNode::most) return false;
        const auto more =
            static_cast<Index>(std::min<std::uint64_t>(ExtentNode::most, std::uint64_t{reserved_} * 2 + 32));
        auto* const moved = std::realloc(nodes_.get(), more * sizeof(ExtentNode));
        if (moved == nullptr) return false;
        (void)nodes_.release();
        nodes_.reset(static_cast<ExtentNode*>(moved));
        reserved_ = more;
        return true;
    }

    struct Free {
        void operator()(ExtentNode* nodes) const noexcept { std::free(nodes); }
    };

    std::unique_ptr<ExtentNode, Free> nodes_;
    Index made_ = 0, reserved_ = 0;
    Index unused_ = ExtentNode::none;
};

} // namespace mooncake::store::detail
