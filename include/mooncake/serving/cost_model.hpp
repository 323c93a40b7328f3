#pragma once

#include <cstdint>

namespace mooncake {

/// How long prefill takes: a fit to an 8×A800 node and LLaMA3-70B, error at most 2.4 %.
/// Source: FAST'25 figure 14, as fitted in the project's reference, §4.
struct PrefillCost {
    double linear = 0.11586;     ///< seconds for 1024 tokens
    double quadratic = 7.739e-4; ///< seconds for 1024² pairs of tokens

    /// Seconds to prefill a prompt of `tokens` tokens of which the first `cached` are there already.
    [[nodiscard]] constexpr double seconds(std::uint64_t tokens, std::uint64_t cached = 0) const noexcept {
        if (cached >= tokens) return 0;
        const auto n = static_cast<double>(tokens) / 1024, p = static_cast<double>(cached) / 1024;
        return linear * (n - p) + quadratic * (n * n - p * p);
    }
};

} // namespace mooncake
