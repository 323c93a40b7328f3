#pragma once

#include <mooncake/core/event.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace mooncake {

/// Counts the operations that are inside of an object, so that its end can wait for them. Thread: any.
/// Lifetime: outlives its passes.
class Gate {
  public:
    /// Somebody is inside as long as this lives.
    class Pass {
      public:
        explicit Pass(Gate& gate) noexcept : gate_(&gate) {}
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&& other) noexcept {
            std::swap(gate_, other.gate_);
            return *this;
        }
        ~Pass() {
            if (gate_) gate_->leave();
        }

      private:
        Gate* gate_;
    };

    /// Nothing once the gate is shut.
    [[nodiscard]] std::optional<Pass> enter() noexcept {
        auto state = state_.load(std::memory_order_relaxed);
        do {
            if ((state & shut_bit) != 0) return std::nullopt;
        } while (!state_.compare_exchange_weak(state, state + one_inside, std::memory_order_acquire,
                                               std::memory_order_relaxed));
        return std::optional<Pass>(std::in_place, *this);
    }

    /// Lets nobody in any more.
    void shut() {
        const auto lock = std::lock_guard(mutex_);
        state_.fetch_or(shut_bit, std::memory_order_relaxed);
    }

    /// Waits until nobody is inside. Requires: it is shut, and one waits at a time. Cancellation: none.
    template <class = void>
    asio::awaitable<void> wait() {
        if (is_empty()) co_return;
        co_await empty_.wait(Deadline::never(), Interrupt::no);
        (void)is_empty(); // the last one inside has let go of the lock: the gate may be gone after this
    }

  private:
    static constexpr std::uint64_t shut_bit = 1, one_inside = 2;

    [[nodiscard]] bool is_empty() const {
        const auto lock = std::lock_guard(mutex_);
        return state_.load(std::memory_order_acquire) < one_inside;
    }
    /// Once it is shut, the last step is made under the lock: the gate may be gone as soon as somebody sees it empty.
    void leave() {
        auto state = state_.load(std::memory_order_relaxed);
        while ((state & shut_bit) == 0)
            if (state_.compare_exchange_weak(state, state - one_inside, std::memory_order_release,
                                             std::memory_order_relaxed))
                return;
        const auto lock = std::lock_guard(mutex_);
        if (state_.fetch_sub(one_inside, std::memory_order_acq_rel) - one_inside == shut_bit) empty_.set();
    }

    std::atomic<std::uint64_t> state_ = 0; ///< how many are inside, and whether it is shut
    mutable std::mutex mutex_;             ///< of its end
    Event empty_;
};

} // namespace mooncake
