#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
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
        const auto there = tail(mine, produced), later = tail(mine, produced + more);
        // As many answers of all prompts as `lean` says are added to those of the class.
        const auto all = std::max(1e-9, tail(all_, 0)), scale = lean / all;
        return (later + scale * tail(all_, produced + more)) / std::max(1e-12, there + scale * tail(all_, produced));
    }

    /// Tokens expected in all.
    [[nodiscard]] double mean(std::uint64_t prompt_tokens) const noexcept {
        auto sum = 0.0, weight = 0.0;
        const auto& mine = classes_[class_of(prompt_tokens)];
        const auto scale = lean / std::max(1e-9, tail(all_, 0));
        for (std::size_t i = 0; i < buckets; ++i) {
            const auto count = mine[i] + scale * all_[i];
            sum += count * (edge(i) + edge(i + 1)) / 2, weight += count;
        }
        return weight <= 0 ? 0 : sum / weight;
    }

  private:
    static constexpr std::size_t buckets = 64, classes = 12;
    static constexpr double lean = 20, fade = .9995;
    using Histogram = std::array<double, buckets>;

    /// Before anything is known: half of the answers have more than some 300 tokens.
    static constexpr Histogram begin() noexcept {
        auto histogram = Histogram{};
        for (std::size_t i = 0; i < 24; ++i) histogram[i] = .1;
        return histogram;
    }

    static std::size_t class_of(std::uint64_t prompt_tokens) noexcept {
        return std::min<std::size_t>(classes - 1, static_cast<std::size_t>(std::bit_width(prompt_tokens / 512)));
    }
    /// Where a bucket begins: 0, 25, 50, … then growing.
    static double edge(std::size_t bucket) noexcept {
        const auto i = static_cast<double>(bucket);
        return i <= 40 ? 25 * i : 1'000 * std::pow(1.25, i - 40);
    }
    static void add_to(Histogram& histogram, std::uint64_t tokens) noexcept {
        auto bucket = std::size_t{0};
        const auto value = static_cast<double>(tokens);
        if (value < 1'000) bucket = static_cast<std::size_t>(value / 25);
        else
            for (bucket = 40; bucket + 1 < buckets && edge(bucket + 1) <= value; ++bucket) {
            }
        for (auto& count : histogram) count *= fade;
        histogram[bucket] += 1;
    }
    /// How many had at least so many tokens; straight lines within a bucket.
    static double tail(const Histogram& histogram, double tokens) noexcept {
        auto sum = 0.0;
        auto bucket = buckets;
        while (bucket-- != 0) {
            const auto from = edge(bucket), to = edge(bucket + 1);
            if (from >= tokens) sum += histogram[bucket];
            else return sum + histogram[bucket] * std::max(0.0, (to - tokens) / (to - from));
        }
        return sum;
    }

    std::array<Histogram, classes> classes_{};
    Histogram all_ = begin();
};

} // namespace mooncake
