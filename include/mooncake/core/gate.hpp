#pragma once

#include <mooncake/core/event.hpp>

#include <cstddef>
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
    [[nodiscard]] std::optional<Pass> enter() {
        const auto lock = std::lock_guard(mutex_);
        if (shut_) return std::nullopt;
        ++inside_;
        return std::optional<Pass>(std::in_place, *this);
    }

    /// Lets nobody in any more.
    void shut() {
        const auto lock = std::lock_guard(mutex_);
        shut_ = true;
    }

    /// Waits until nobody is inside. Requires: it is shut, and one waits at a time. Cancellation: none.
    template <class = void>
    asio::awaitable<void> wait() {
        if (is_empty()) co_return;
        co_await empty_.wait(Deadline::never(), Interrupt::no);
        (void)is_empty(); // the last one inside has let go of the lock: the gate may be gone after this
    }

  private:
    [[nodiscard]] bool is_empty() const {
        const auto lock = std::lock_guard(mutex_);
        return inside_ == 0;
    }
    void leave() {
        const auto lock = std::lock_guard(mutex_);
        if (--inside_ == 0 && shut_) empty_.set(); // under the lock: the gate may be gone once somebody sees it empty
    }

    mutable std::mutex mutex_;
    std::size_t inside_ = 0;
    bool shut_ = false;
    Event empty_;
};

} // namespace mooncake
