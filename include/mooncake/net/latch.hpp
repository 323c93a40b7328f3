#pragma once

#include <mooncake/core/event.hpp>

#include <atomic>
#include <cstddef>

namespace mooncake::net::detail {

/// Counts operations that are still out; the last one wakes the coroutine that waits for them all.
class Latch {
  public:
    explicit Latch(std::size_t count) noexcept : left_(count) {}

    void count_down() noexcept {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_.set();
    }
    /// See `Event::set_and_go_on`.
    void count_down_and_go_on() noexcept {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_.set_and_go_on();
    }
    template <class = void>
    asio::awaitable<Wake> wait(Deadline deadline, Interrupt interrupt = Interrupt::yes) {
        return all_.wait(deadline, interrupt, Awaits::operation);
    }

  private:
    std::atomic<std::size_t> left_;
    Event all_;
};

} // namespace mooncake::net::detail
