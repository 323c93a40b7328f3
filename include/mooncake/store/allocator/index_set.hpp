#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mooncake::store::detail {

/// A set of small numbers that tells the next one: bitmaps of three levels, each of which says where the one below has any.
/// Complexity: O(1), at most five words are looked at.
class IndexSet {
  public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::uint32_t most = 64 * 64 * 64;

    /// Of numbers below `limit`, which is at most `most`.
    explicit IndexSet(std::uint32_t limit) : words_(limit / 64 + 1) {}

    void insert(std::uint32_t number) noexcept {
        words_[number >> 6] |= bit(number);
        groups_[number >> 12] |= bit(number >> 6);
        top_ |= bit(number >> 12);
    }

    void erase(std::uint32_t number) noexcept {
        if ((words_[number >> 6] &= ~bit(number)) != 0) return;
        if ((groups_[number >> 12] &= ~bit(number >> 6)) != 0) return;
        top_ &= ~bit(number >> 12);
    }

    /// The least that is above `number`, or `none`.
    [[nodiscard]] std::uint32_t after(std::uint32_t number) const noexcept {
        if (const auto here = words_[number >> 6] & above(number); here != 0) return first(number >> 6, here);
        const auto word = number >> 6;
        if (const auto near = groups_[word >> 6] & above(word); near != 0) return below(first(word >> 6, near));
        const auto far = top_ & above(word >> 6);
        if (far == 0) return none;
        const auto group = first(0, far);
        return below(first(group, groups_[group]));
    }

    /// The greatest, or `none`.
    [[nodiscard]] std::uint32_t last() const noexcept {
        if (top_ == 0) return none;
        const auto group = last_of(0, top_);
        const auto word = last_of(group, groups_[group]);
        return last_of(word, words_[word]);
    }

    [[nodiscard]] std::size_t bytes() const noexcept { return words_.capacity() * sizeof(std::uint64_t); }

  private:
    static constexpr std::uint64_t bit(std::uint32_t number) noexcept { return std::uint64_t{1} << number % 64; }
    static constexpr std::uint64_t above(std::uint32_t number) noexcept {
        return ~std::uint64_t{0} << number % 64 << 1;
    }
    static constexpr std::uint32_t first(std::uint32_t word, std::uint64_t bits) noexcept {
        return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
    }
    static constexpr std::uint32_t last_of(std::uint32_t word, std::uint64_t bits) noexcept {
        return word * 64 + 63 - static_cast<std::uint32_t>(std::countl_zero(bits));
    }
    [[nodiscard]] std::uint32_t below(std::uint32_t word) const noexcept { return first(word, words_[word]); }

    std::uint64_t top_ = 0;
    std::array<std::uint64_t, 64> groups_{};
    std::vector<std::uint64_t> words_;
};

} // namespace mooncake::store::detail
