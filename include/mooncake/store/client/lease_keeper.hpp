#pragma once

#include <mooncake/core/scope.hpp>
#include <mooncake/store/master_link.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Until when a client trusts a lease of `ttl_ms` that was asked for at `asked`: less than the master grants, since its
/// answer took time and clocks differ.
[[nodiscard]] inline TimePoint trusted_until(TimePoint asked, std::uint64_t ttl_ms) noexcept {
    const auto ttl = std::chrono::milliseconds{ttl_ms};
    return asked + ttl - std::min<Duration>(ttl / 10, std::chrono::milliseconds{500});
}

/// Renews the leases of what is open and gives back those that are not needed any more, many in one message, behind the
/// backs of those who use them.
template <class Master>
class LeaseKeeper {
    struct State;

  public:
    /// A lease that is renewed as long as this lives, and released with it.
    class Open {
      public:
        Open(std::shared_ptr<State> state, std::uint64_t id, TimePoint trusted)
            : id_(id), trusted_(trusted.time_since_epoch().count()), state_(std::move(state)) {}
        Open(const Open&) = delete;
        Open& operator=(const Open&) = delete;
        ~Open() { state_->release(id_); }

        [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
        [[nodiscard]] TimePoint trusted_until() const noexcept {
            return TimePoint{Duration{trusted_.load(std::memory_order_acquire)}};
        }

      private:
        friend class LeaseKeeper;
        const std::uint64_t id_;
        std::atomic<Duration::rep> trusted_;
        const std::shared_ptr<State> state_;
    };

    LeaseKeeper(Executor executor, Master& master) : master_(master), scope_(std::move(executor)) {}

    void start() { (void)scope_.spawn(run()); }

    [[nodiscard]] std::shared_ptr<Open> keep(std::uint64_t id, TimePoint trusted) {
        auto open = std::make_shared<Open>(state_, id, trusted);
        const auto lock = std::lock_guard(state_->mutex);
        state_->open.push_back(open);
        state_->changed.set();
        return open;
    }

    /// Releases it soon. Thread: any.
    void release(std::uint64_t id) { state_->release(id); }

    /// Releases what is left to release, and renews no more.
    asio::awaitable<void> close() {
        co_await scope_.close();
        co_await flush();
    }

  private:
    struct State {
        void release(std::uint64_t id) {
            const auto lock = std::lock_guard(mutex);
            done.push_back(id);
            if (done.size() == 1) changed.set();
        }
        std::mutex mutex; // of what follows
        std::vector<std::uint64_t> done;
        std::vector<std::weak_ptr<Open>> open;
        Event changed;
    };

    Task<void> run() {
        for (auto wake = Wake::set; wake != Wake::cancelled;) {
            co_await flush();
            const auto next = co_await renew();
            wake = co_await state_->changed.wait(next);
        }
        co_return ok;
    }

    asio::awaitable<void> flush() {
        auto message = Release();
        {
            const auto lock = std::lock_guard(state_->mutex);
            message.leases.swap(state_->done);
        }
        if (message.leases.empty()) co_return;
        // A lease that could not be released ends by itself.
        (void)co_await master_.call(std::move(message), Deadline(std::chrono::seconds(1)));
    }

    /// Renews what has less than half of its time left; gives when to look again.
    asio::awaitable<Deadline> renew() {
        auto open = std::vector<std::shared_ptr<Open>>();
        {
            const auto lock = std::lock_guard(state_->mutex);
            std::erase_if(state_->open, [](const auto& lease) { return lease.expired(); });
            for (const auto& weak : state_->open)
                if (auto lease = weak.lock()) open.push_back(std::move(lease));
        }
        auto next = Deadline::never();
        for (const auto& lease : open) {
            const auto asked = SteadyClock{}.now();
            auto trusted = lease->trusted_until();
            if (trusted - asked < margin) {
                const auto message = Renew{.lease = lease->id()};
                const auto renewed = co_await master_.call(message, Deadline(std::chrono::seconds(1)));
                if (!renewed) continue;
                trusted = trusted_until(asked, renewed->ttl_ms);
                lease->trusted_.store(trusted.time_since_epoch().count(), std::memory_order_release);
            }
            next = next.or_sooner(Deadline(trusted - std::min<Duration>(margin, (trusted - asked) / 2)));
        }
        co_return next;
    }

    static constexpr Duration margin = std::chrono::seconds{2};

    Master& master_;
    const std::shared_ptr<State> state_ = std::make_shared<State>();
    TaskScope scope_;
};

} // namespace mooncake::store::detail
