#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mooncake::store::detail {

/// About how often hashes were seen of late: four rows of counters up to 15, of which the least counts, and only the least are
/// added to ("minimal increment"); all are halved after ten uses for each object there was. Sixteen bytes an object.
class FrequencySketch {
  public:
    /// There are so many objects, at least. Complexity: O(counters) when it grows, which keeps what was counted.
    void fit(std::size_t objects) {
        most_objects_ = std::max(most_objects_, objects);
        for (; objects > objects_; objects_ *= 2) {
            const auto half = words_.size();
            words_.resize(2 * half);
            std::copy_n(words_.begin(), half, words_.begin() + static_cast<std::ptrdiff_t>(half));
        }
    }

    void add(std::uint64_t hash) {
        const auto least = estimate(hash);
        for (unsigned row = 0; row < rows; ++row) {
            const auto [word, shift] = place(hash, row);
            if ((words_[word] >> shift & most) == least && least != most) words_[word] += std::uint64_t{1} << shift;
        }
        if (++added_ < 10 * most_objects_) return;
        for (auto& word : words_) word = word >> 1 & 0x7777777777777777;
        added_ /= 2;
    }

    [[nodiscard]] unsigned estimate(std::uint64_t hash) const noexcept {
        auto least = most;
        for (unsigned row = 0; row < rows; ++row) {
            const auto [word, shift] = place(hash, row);
            least = std::min(least, words_[word] >> shift & most);
        }
        return static_cast<unsigned>(least);
    }
    [[gnu::always_inline]] void prefetch(std::uint64_t hash) const noexcept {
        for (unsigned row = 0; row < rows; ++row) __builtin_prefetch(&words_[place(hash, row).word], 1);
    }

  private:
    static constexpr std::size_t rows = 4, counters_an_object = 8, counters_a_word = 16;
    static constexpr std::uint64_t most = 15;

    struct Place {
        std::size_t word;
        unsigned shift;
    };
    /// The rows lie in one another, word by word, so that growing is to say everything twice.
    [[nodiscard]] Place place(std::uint64_t hash, unsigned row) const noexcept {
        constexpr std::uint64_t odd[rows] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
                                             0xd6e8feb86659fd93};
        auto mixed = (hash + row) * odd[row];
        mixed ^= mixed >> 32;
        const auto in_row = (mixed / counters_a_word) & (words_.size() / rows - 1);
        return {.word = in_row * rows + row, .shift = static_cast<unsigned>(mixed % counters_a_word) * 4};
    }

    std::size_t objects_ = 1'024;   // for which there are counters
    std::size_t most_objects_ = 64; // that there were
    std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(1'024 * counters_an_object / counters_a_word * rows);
    std::size_t added_ = 0; // since the last halving, and half of what was before
};

} // namespace mooncake::store::detail
