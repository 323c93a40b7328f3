#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/timer_wheel.hpp>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/system_executor.hpp>

#include <chrono>
#include <mutex>

namespace mooncake::core::detail {

/// One coarse timer wheel (ticks of 1 ms) per execution context, driven by a single Asio timer that is armed only while
/// somebody waits. A node fires up to one tick late, never early. Callbacks run under the lock: they post and return.
class DeadlineService final : public boost::asio::execution_context::service {
  public:
    using key_type = DeadlineService;
    inline static boost::asio::execution_context::id id;

    struct Node : TimerWheel::Node {
        void (*expire)(Node&) noexcept = nullptr;
    };

    explicit DeadlineService(boost::asio::execution_context& context) : service(context) {}

    /// `executor`: one of this context's. `expire` may come before `add` returns if the deadline has passed.
    template <class Ex>
    void add(const Ex& executor, Node& node, Deadline deadline) {
        const auto lock = std::lock_guard(mutex_);
        if (wheel_.size() == 0) wheel_.advance(tick_of(SteadyClock{}.now()), [](auto&) {});
        wheel_.add(node, tick_of(deadline.at()) + 1);
        if (!timer_) timer_.emplace(executor);
        arm();
    }

    /// After this returns the node is not in the wheel and its `expire` is not running.
    void remove(Node& node) noexcept {
        const auto lock = std::lock_guard(mutex_);
        wheel_.remove(node);
    }

  private:
    void shutdown() noexcept override { timer_.reset(); }

    [[nodiscard]] std::uint64_t tick_of(TimePoint at) const noexcept {
        return at <= start_ ? 0 : static_cast<std::uint64_t>((at - start_) / std::chrono::milliseconds{1});
    }

    template <class = void>
    void arm() {
        const auto next = wheel_.next();
        if (!next || (armed_ && *armed_ <= *next)) return;
        armed_ = next;
        timer_->expires_at(start_ + std::chrono::milliseconds{*next});
        timer_->async_wait([this](const boost::system::error_code& error) {
            if (!error) tick();
        });
    }

    template <class = void>
    void tick() {
        const auto lock = std::lock_guard(mutex_);
        armed_.reset();
        wheel_.advance(tick_of(SteadyClock{}.now()), [](TimerWheel::Node& node) {
            auto& due = static_cast<Node&>(node);
            due.expire(due);
        });
        arm();
    }

    std::mutex mutex_;
    TimerWheel wheel_;
    TimePoint start_ = SteadyClock{}.now();
    std::optional<std::uint64_t> armed_;
    std::optional<boost::asio::steady_timer> timer_;
};

} // namespace mooncake::core::detail
