#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/errc.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace mooncake::engine::detail {

/// Whether another path may do what this one could not.
[[nodiscard]] constexpr bool retryable(Errc outcome) noexcept {
    switch (outcome) {
    case Errc::ok:
    case Errc::cancelled:
    case Errc::timed_out:
    case Errc::invalid_argument:
    case Errc::out_of_range:
    case Errc::access_denied:
    case Errc::stale_generation:
    case Errc::stale_epoch: return false;
    default: return true;
    }
}

/// Their numbers.
template <std::size_t N>
[[nodiscard]] constexpr std::array<std::size_t, N> cheapest_first(const std::array<unsigned, N>& costs) noexcept {
    auto order = std::array<std::size_t, N>();
    for (std::size_t i = 0; i < N; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs[a] < costs[b]; });
    return order;
}

/// In which order one operation tries the paths to a segment: each path once, those that rested long enough first, cheap
/// before dear; then, after a pause, those that failed as paths once more. A pure state machine.
template <std::size_t N>
class PathChoice {
  public:
    static constexpr unsigned rounds = 2;
    static constexpr Duration pause = std::chrono::milliseconds{5};

    /// Requires: `reachable[i]` and `rested[i]` say so of path i, `costs[i]` is what it costs.
    PathChoice(const std::array<bool, N>& reachable, const std::array<bool, N>& rested,
               const std::array<unsigned, N>& costs) noexcept
        : may_try_(reachable), rested_(rested), costs_(costs) {}

    /// The path to try now; none when all have been.
    [[nodiscard]] std::optional<std::size_t> next() noexcept {
        auto best = std::optional<std::size_t>();
        for (std::size_t i = 0; i < N; ++i)
            if (may_try_[i] && (!best || better(i, *best))) best = i;
        if (!best) return best;
        may_try_[*best] = false;
        ++tried_[*best];
        return best;
    }

    /// Whether `next` has another one.
    [[nodiscard]] bool more() const noexcept {
        return std::any_of(may_try_.begin(), may_try_.end(), [](bool may) { return may; });
    }

    /// The path failed as a path: it may be tried again in the next round.
    void failed(std::size_t path) noexcept { again_[path] = tried_[path] < rounds; }

    /// Begins the next round, before which the caller pauses. False when there is nothing to try in it.
    [[nodiscard]] bool another_round() noexcept {
        auto any = false;
        for (std::size_t i = 0; i < N; ++i) any |= may_try_[i] = again_[i], again_[i] = false;
        return any;
    }

  private:
    [[nodiscard]] bool better(std::size_t a, std::size_t b) const noexcept {
        return rested_[a] != rested_[b] ? rested_[a] : costs_[a] < costs_[b];
    }

    std::array<bool, N> may_try_, rested_;
    std::array<bool, N> again_{};
    std::array<unsigned, N> costs_;
    std::array<unsigned, N> tried_{};
};

} // namespace mooncake::engine::detail
