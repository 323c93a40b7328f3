#pragma once

#include <mooncake/core/clock.hpp>

#include <algorithm>
#include <chrono>

namespace mooncake {

struct BreakerConfig {
    Duration rest =
        std::chrono::milliseconds{500}; ///< after a failure; twice as long each time it fails again; above 0
    unsigned most_doublings = 6;        ///< of the rest
    Duration probe = std::chrono::milliseconds{500}; ///< how long one attempt may be out before another finds out
};

/// Whether something that failed is to be used: not while it rests, then by one attempt at a time (half open) until one works.
/// A pure state machine; the caller brings the time.
class Breaker {
  public:
    explicit Breaker(BreakerConfig config = {}) noexcept : config_(config) {}

    /// Closed: nothing is known against it.
    [[nodiscard]] bool closed() const noexcept { return failures_ == 0; }
    [[nodiscard]] bool may_try(TimePoint now) const noexcept { return failures_ == 0 || now >= retry_at_; }
    [[nodiscard]] TimePoint retry_at() const noexcept { return retry_at_; }

    /// Nobody else need find out at the same time whether it is back.
    void tried(TimePoint now) noexcept {
        if (failures_ != 0) retry_at_ = std::max(retry_at_, now + config_.probe);
    }
    void worked() noexcept {
        failures_ = 0;
        retry_at_ = {};
    }
    /// `began`: when what failed was begun. What was under way when something else failed counts with that, as one failure.
    void failed(TimePoint began, TimePoint now) noexcept {
        if (failures_ != 0 && began <= failed_at_) return;
        failed_at_ = now;
        const auto doublings = std::min(failures_++, config_.most_doublings);
        retry_at_ = now + config_.rest * (1U << doublings);
    }

  private:
    BreakerConfig config_;
    unsigned failures_ = 0; ///< since it worked last
    TimePoint retry_at_{}, failed_at_{};
};

} // namespace mooncake
