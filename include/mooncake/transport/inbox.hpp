#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/notification.hpp>

#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

namespace mooncake {

/// The notifications that came and that nobody took yet, first come first taken. Thread: any. Lifetime: outlives who waits.
class Inbox {
  public:
    static constexpr std::size_t most = 4'096;      ///< notifications
    static constexpr std::size_t most_text = 4'096; ///< bytes of one

    /// `no_space`: it is full; `too_large`; `closed`.
    [[nodiscard]] Errc put(Notification notification) {
        if (notification.text.size() > most_text || notification.from.size() > most_text) return Errc::too_large;
        const auto lock = std::lock_guard(mutex_);
        if (closed_) return Errc::closed;
        if (waiting_.size() >= most) return Errc::no_space;
        waiting_.push_back(std::move(notification));
        wake_one();
        return Errc::ok;
    }

    /// Takes the next one. Errors: `timed_out`, `cancelled`, `closed`. Cancellation: total.
    template <class = void> // only who waits pays for compiling it
    Task<Notification> next(Deadline deadline) {
        auto came = Event();
        for (;;) {
            {
                const auto lock = std::lock_guard(mutex_);
                if (closed_) co_return Error(Errc::closed, "the transfer engine was closed");
                if (!waiting_.empty()) {
                    auto first = std::move(waiting_.front());
                    waiting_.pop_front();
                    co_return first;
                }
                takers_.push_back(&came);
            }
            const auto wake = co_await came.wait(deadline);
            const auto lock = std::lock_guard(mutex_);
            const auto called = std::erase(takers_, &came) == 0;
            if (wake == Wake::set) continue;
            if (called) wake_one(); // it was for us, and goes to somebody else
            co_return to_errc(wake);
        }
    }

    void close() {
        const auto lock = std::lock_guard(mutex_);
        closed_ = true;
        while (!takers_.empty()) wake_one();
    }

  private:
    /// Requires: the lock is held.
    void wake_one() {
        if (takers_.empty()) return;
        takers_.front()->set();
        takers_.pop_front();
    }

    std::mutex mutex_; // of what follows
    std::deque<Notification> waiting_;
    std::deque<Event*> takers_;
    bool closed_ = false;
};

namespace transport::detail {

/// Takes a peer's notification, if it may know of the region that it speaks of.
[[nodiscard]] inline Errc put_in(Inbox* inbox, const RegionTable& regions, Notification notification,
                                 std::uint64_t key) {
    if (inbox == nullptr) return Errc::not_supported;
    const auto snapshot = regions.snapshot();
    auto outcome = snapshot.resolve(notification.offset, notification.length, key, Rights::read).error;
    if (outcome == Errc::access_denied)
        outcome = snapshot.resolve(notification.offset, notification.length, key, Rights::write).error;
    return outcome == Errc::ok ? inbox->put(std::move(notification)) : outcome;
}

} // namespace transport::detail

} // namespace mooncake
