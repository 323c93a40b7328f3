#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace mooncake {
namespace store::detail {
class WaiterRegistry;
} // namespace store::detail

/// Somebody who waits until objects are visible: derive, and hand to `Master::wait_for` in a `shared_ptr`.
/// Lifetime: good for one wait; a second one needs another waiter.
class Waiter {
  public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual ~Waiter() = default;

    /// Every key became visible since the wait began, or was already. Called at most once, by whoever put the last one,
    /// with no lock held. Keep it short: post what is long.
    virtual void ready() noexcept = 0;

  private:
    friend class store::detail::WaiterRegistry;
    std::vector<std::string> keys_; // those that were not visible
    std::atomic<std::uint32_t> outstanding_{0};
    std::atomic<bool> settled_{false}; // ready or cancelled, whichever came first
};

} // namespace mooncake
