#pragma once

#include <mooncake/core/result.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mooncake {

/// How long prefill takes: a fit to an 8×A800 node and LLaMA3-70B, error at most 2.4 %.
/// Source: FAST'25 figure 14, as fitted in the project's reference, §4.
struct PrefillCost {
    double linear = 0.11586;     ///< seconds for 1024 tokens
    double quadratic = 7.739e-4; ///< seconds for 1024² pairs of tokens
    double constant = 0;         ///< seconds a request, however short

    /// Seconds to prefill a prompt of `tokens` tokens of which the first `cached` are there already.
    [[nodiscard]] constexpr double seconds(std::uint64_t tokens, std::uint64_t cached = 0) const noexcept {
        if (cached >= tokens) return 0;
        const auto n = static_cast<double>(tokens) / 1024, p = static_cast<double>(cached) / 1024;
        return constant + linear * (n - p) + quadratic * (n * n - p * p);
    }
};

/// How long one iteration of a batch takes that decodes. Source: reference §4, of the same node and model.
struct DecodeCost {
    double constant = 26.2e-3;     ///< seconds an iteration
    double context = 0.0358e-3;    ///< seconds for 1024 tokens of context in the batch
    double sequence = 0.14e-3;     ///< seconds a sequence
    double load_bandwidth = 102e9; ///< bytes a second at which the KV cache of one that joins is loaded; 0: overlapped

    /// Seconds of one iteration over `sequences` sequences that have `tokens` tokens of context together.
    [[nodiscard]] constexpr double step(std::uint64_t sequences, std::uint64_t tokens) const noexcept {
        return constant + context * static_cast<double>(tokens) / 1024 + sequence * static_cast<double>(sequences);
    }
    /// Seconds of `steps` iterations on end, each of which adds a token to every sequence.
    [[nodiscard]] constexpr double steps(std::uint64_t sequences, std::uint64_t tokens,
                                         std::uint64_t steps) const noexcept {
        const auto k = static_cast<double>(steps), grown = static_cast<double>(sequences) * k * (k - 1) / 2;
        return k * step(sequences, tokens) + context * grown / 1024;
    }
    /// How many whole iterations are over after `seconds`; the inverse of `steps`.
    [[nodiscard]] std::uint64_t steps_within(std::uint64_t sequences, std::uint64_t tokens,
                                             double seconds) const noexcept {
        const auto a = context * static_cast<double>(sequences) / 2048, b = step(sequences, tokens) - a;
        if (seconds <= 0 || a + b <= 0) return 0;
        const auto root = a > 0 ? 2 * seconds / (b + std::sqrt(b * b + 4 * a * seconds)) : seconds / b;
        return static_cast<std::uint64_t>(root + 1e-9);
    }
};

/// What moves when a prefix does. Source: reference §4.
struct TransferCost {
    std::uint64_t bytes_per_token = 327'680;
    double bandwidth = 87e9; ///< bytes a second that one instance sends: 4×200 Gb/s; 190e9 for 8×400 Gb/s
    double latency = 1e-3;   ///< seconds until the first byte

    /// Seconds on the sender's NIC.
    [[nodiscard]] constexpr double seconds(std::uint64_t tokens) const noexcept {
        return tokens == 0 ? 0 : static_cast<double>(tokens * bytes_per_token) / bandwidth;
    }
};

/// What a sender has been asked for: one transfer after the other, as a saturated NIC shares its time.
class SendQueue {
  public:
    /// When `tokens` tokens would have arrived if they were asked for at `now`. Seconds, as `now`.
    [[nodiscard]] double estimate(double now, std::uint64_t tokens, const TransferCost& cost) const noexcept {
        return tokens == 0 ? now : std::max(now, free_at_) + cost.seconds(tokens) + cost.latency;
    }
    /// Asks for them. When they will have arrived.
    double send(double now, std::uint64_t tokens, const TransferCost& cost) noexcept {
        const auto arrived = estimate(now, tokens, cost);
        if (tokens != 0) free_at_ = arrived - cost.latency;
        return arrived;
    }
    [[nodiscard]] double free_at() const noexcept { return free_at_; }

  private:
    double free_at_ = 0;
};

/// How long things take. All a conductor predicts comes from here.
struct CostModel {
    PrefillCost prefill{};
    DecodeCost decode{};
    TransferCost transfer{};
    std::uint64_t block_tokens = 512;

    /// Seconds to prefill a prompt of `tokens` tokens whose first `blocks` blocks are there. At least one token is computed.
    [[nodiscard]] constexpr double prefill_seconds(std::uint64_t tokens, std::uint64_t blocks) const noexcept {
        return tokens == 0 ? 0 : prefill.seconds(tokens, std::min(blocks * block_tokens, tokens - 1));
    }
};

/// Errors: `invalid_argument`, naming the field.
[[nodiscard]] inline Result<void> validate(const CostModel& cost) {
    const auto bad = [](double value) { return !(value >= 0 && std::isfinite(value)); };
    if (bad(cost.prefill.linear) || bad(cost.prefill.quadratic) || bad(cost.prefill.constant))
        return Error(Errc::invalid_argument, "CostModel::prefill has a coefficient that is negative or not a number");
    if (bad(cost.decode.constant) || bad(cost.decode.context) || bad(cost.decode.sequence) ||
        bad(cost.decode.load_bandwidth))
        return Error(Errc::invalid_argument, "CostModel::decode has a coefficient that is negative or not a number");
    if (cost.decode.step(1, 0) <= 0)
        return Error(Errc::invalid_argument, "CostModel::decode: an iteration has to take some time");
    if (!(cost.transfer.bandwidth > 0))
        return Error(Errc::invalid_argument, "CostModel::transfer.bandwidth must be above 0");
    if (bad(cost.transfer.latency))
        return Error(Errc::invalid_argument, "CostModel::transfer.latency must be 0 or more");
    if (cost.block_tokens == 0) return Error(Errc::invalid_argument, "CostModel::block_tokens must be at least 1");
    return ok;
}

} // namespace mooncake
