#pragma once

#include <mooncake/core/environment.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>

namespace mooncake {

/// Where a policy or a state machine gets the time from.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `c.now()` | the present; never goes back | none | any | O(1), no system call on Linux |
template <class C>
concept Clock = std::copyable<C> && requires(const C& clock) {
    { clock.now() } noexcept -> std::same_as<TimePoint>;
};

/// As messages tell times: milliseconds, rounded down.
[[nodiscard]] constexpr std::uint64_t whole_milliseconds(Duration duration) noexcept {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

/// Choose this when: always, outside of tests. `CLOCK_MONOTONIC`, or what the thread's `Environment` says.
struct SteadyClock {
    [[nodiscard]] TimePoint now() const noexcept {
        if (auto* const environment = Environment::current()) [[unlikely]]
            return environment->now();
        return std::chrono::steady_clock::now();
    }
};

/// Choose this when: time is part of the test. Copies share the hand; starts at one hour, so that subtraction is safe.
class ManualClock {
  public:
    ManualClock() : state_(std::make_shared<std::atomic<Duration::rep>>(Duration{std::chrono::hours{1}}.count())) {}

    [[nodiscard]] TimePoint now() const noexcept {
        return TimePoint{Duration{state_->load(std::memory_order_acquire)}};
    }
    void advance(Duration by) noexcept { state_->fetch_add(by.count(), std::memory_order_acq_rel); }

  private:
    std::shared_ptr<std::atomic<Duration::rep>> state_;
};

static_assert(Clock<SteadyClock>);
static_assert(Clock<ManualClock>);

} // namespace mooncake
