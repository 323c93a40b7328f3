#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace mooncake {

/// What is known of how long answers are, learnt as they end: a distribution for each class of prompt length, which leans on
/// that of all prompts while its class is young. Old answers fade, so that it follows the workload. Memory: a few KiB.
class OutputLengths {
  public:
    /// One request of a prompt of `prompt_tokens` had an answer of `tokens` tokens.
    void add(std::uint64_t prompt_tokens, std::uint64_t tokens) noexcept {
        add_to(classes_[class_of(prompt_tokens)], tokens);
        add_to(all_, tokens);
    }

    /// The chance that an answer which has `produced` tokens has at least `more` after them.
    [[nodiscard]] double survives(std::uint64_t prompt_tokens, double produced, double more) const noexcept {
        if (more <= 0) return 1;
        const auto& mine = classes_[class_of(prompt_tokens)];
        // As many answers of all prompts as `lean` says are added to those of the class.
        const auto scale = lean / std::max(1e-9, all_[0]);
        const auto there = tail(mine, produced) + scale * tail(all_, produced);
        const auto later = tail(mine, produced + more) + scale * tail(all_, produced + more);
        return later / std::max(1e-12, there);
    }

    /// Tokens expected in all.
    [[nodiscard]] double mean(std::uint64_t prompt_tokens) const noexcept {
        const auto& mine = classes_[class_of(prompt_tokens)];
        const auto scale = lean / std::max(1e-9, all_[0]);
        auto area = 0.0; // under the tail
        for (std::size_t i = 0; i < buckets; ++i)
            area += (edges[i + 1] - edges[i]) * (mine[i] + mine[i + 1] + scale * (all_[i] + all_[i + 1])) / 2;
        return area / (mine[0] + scale * all_[0]);
    }

  private:
    static constexpr std::size_t buckets = 64, even = 40, classes = 12;
    static constexpr double lean = 20, fade = .9995, width = 25;
    using Tail = std::array<double, buckets + 1>; // how many had at least as many tokens as the edge; the last is 0

    /// Where buckets begin: 0, 25, … 1000, then each a quarter further.
    static constexpr std::array<double, buckets + 1> edges = [] {
        auto all = std::array<double, buckets + 1>{};
        for (std::size_t i = 0; i <= buckets; ++i)
            all[i] = i <= even ? width * static_cast<double>(i) : all[i - 1] * 1.25;
        return all;
    }();
    /// Before anything is known: even up to 600 tokens.
    static constexpr Tail begin() noexcept {
        auto counts = Tail{};
        for (std::size_t i = 0; i < 24; ++i) counts[i] = 2.4 - .1 * static_cast<double>(i);
        return counts;
    }

    static std::size_t class_of(std::uint64_t prompt_tokens) noexcept {
        return std::min<std::size_t>(classes - 1, static_cast<std::size_t>(std::bit_width(prompt_tokens / 512)));
    }
    static std::size_t bucket_of(double tokens) noexcept {
        if (tokens < edges[even]) return static_cast<std::size_t>(tokens / width);
        auto bucket = even;
        while (bucket + 1 < buckets && edges[bucket + 1] <= tokens) ++bucket;
        return bucket;
    }
    static void add_to(Tail& counts, std::uint64_t tokens) noexcept {
        for (auto& count : counts) count *= fade;
        for (auto i = bucket_of(static_cast<double>(tokens)) + 1; i-- != 0;) counts[i] += 1;
    }
    /// How many had at least so many tokens; straight lines within a bucket.
    static double tail(const Tail& counts, double tokens) noexcept {
        const auto i = bucket_of(tokens);
        const auto share = std::min(1.0, (tokens - edges[i]) / (edges[i + 1] - edges[i]));
        return counts[i] + (counts[i + 1] - counts[i]) * share;
    }

    std::array<Tail, classes> classes_{};
    Tail all_ = begin();
};

} // namespace mooncake
