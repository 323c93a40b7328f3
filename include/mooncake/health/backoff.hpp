#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/random.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace mooncake {

struct BackoffConfig {
    Duration first = std::chrono::milliseconds{10}; ///< mean pause after the first failure; above 0
    Duration most = std::chrono::seconds{1};        ///< the pause never grows beyond
};

/// When to try again after failures: pauses that double, each between half and one and a half of its mean, so that peers
/// that lost the same server do not come back in step. A pure state machine; the caller brings the time.
class Backoff {
  public:
    explicit Backoff(BackoffConfig config = {}, std::uint64_t seed = 1) noexcept : config_(config), random_(seed) {}

    [[nodiscard]] bool may_try(TimePoint now) const noexcept { return now >= next_; }
    [[nodiscard]] TimePoint next() const noexcept { return next_; }

    void succeeded() noexcept {
        mean_ = Duration::zero();
        next_ = TimePoint{};
    }
    void failed(TimePoint now) noexcept {
        const auto longest_mean = config_.most * 2 / 3; // half as much again is the most there may be
        mean_ = std::min(mean_ == Duration::zero() ? config_.first : mean_ * 2, longest_mean);
        next_ = now + std::chrono::duration_cast<Duration>(mean_ * (0.5 + random_.uniform()));
    }

  private:
    BackoffConfig config_;
    SplitMix64 random_;
    Duration mean_ = Duration::zero();
    TimePoint next_{};
};

} // namespace mooncake
