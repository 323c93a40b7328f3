#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/end_program.hpp>
#include <mooncake/core/serial.hpp>
#include <mooncake/core/timer_wheel.hpp>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace mooncake::core::detail {

/// What wakes a `DeadlineService`: rings once, at the time it was set to last.
class Alarm {
  public:
    virtual ~Alarm() = default;
    virtual void set(TimePoint at, std::function<void()> ring) = 0;
    virtual void stop() noexcept = 0;
};

/// Asio's own timer.
template <class Ex>
class TimerAlarm final : public Alarm {
  public:
    explicit TimerAlarm(const Ex& executor) : timer_(executor) {}
    void set(TimePoint at, std::function<void()> ring) override {
        timer_.expires_at(at);
        timer_.async_wait([ring = std::move(ring)](const boost::system::error_code& error) {
            if (!error) ring();
        });
    }
    void stop() noexcept override { timer_.cancel(); }

  private:
    asio::steady_timer timer_;
};

/// One coarse timer wheel (ticks of 1 ms) per execution context, driven by a single alarm that is set only while
/// somebody waits. A node fires up to one tick late, never early. Callbacks run under the lock: they post and return.
///
/// An application's context has nothing to do any more when nobody waits: `run()` returns. A runtime's goes on anyway, and
/// is spared the setting and stopping of its alarm for every wait.
class DeadlineService final : public asio::execution_context::service {
  public:
    using key_type = DeadlineService;
    inline static asio::execution_context::id id;

    struct Node : TimerWheel::Node {
        void (*expire)(Node&) noexcept = nullptr;
    };

    /// `alarm`: another than Asio's timer, for contexts that have none.
    explicit DeadlineService(asio::execution_context& context, std::unique_ptr<Alarm> alarm = nullptr)
        : service(context), own_(asio::has_service<OwnContext>(context)), alarm_(std::move(alarm)) {}

    /// Whether the context is a runtime's.
    [[nodiscard]] bool own() const noexcept { return own_; }

    /// Something else will write to memory of the caller's, and wake him here: until `leave` the context has to stay.
    void enter() noexcept { under_way_.fetch_add(1, std::memory_order_relaxed); }
    void leave() noexcept { under_way_.fetch_sub(1, std::memory_order_relaxed); }

    /// `executor`: one of this context's. `expire` may come before `add` returns if the deadline has passed.
    template <class Ex>
    void add(const Ex& executor, Node& node, Deadline deadline) {
        const auto lock = std::lock_guard(mutex_);
        if (wheel_.size() == 0) wheel_.advance(tick_of(SteadyClock{}.now()), [](auto&) {});
        wheel_.add(node, tick_of(deadline.at()) + 1);
        if (!alarm_) alarm_ = std::make_unique<TimerAlarm<Ex>>(executor);
        arm();
    }

    /// After this returns the node is not in the wheel and its `expire` is not running.
    void remove(Node& node) noexcept {
        const auto lock = std::lock_guard(mutex_);
        wheel_.remove(node);
        if (own_ || wheel_.size() != 0 || !armed_) return;
        armed_.reset();
        alarm_->stop();
    }

  private:
    void shutdown() noexcept override {
        const auto left = under_way_.load(std::memory_order_relaxed);
        if (left != 0)
            end_program("an execution context of Asio was destroyed while operations of mooncake (" +
                        std::to_string(left) +
                        ") were under way on it, which may write to memory of their caller's: run it "
                        "until they are over; cancelled ones are soon");
        armed_.reset();
        alarm_.reset();
    }

    [[nodiscard]] std::uint64_t tick_of(TimePoint at) const noexcept {
        return at <= start_ ? 0 : static_cast<std::uint64_t>((at - start_) / std::chrono::milliseconds{1});
    }

    template <class = void>
    void arm() {
        const auto next = wheel_.next();
        if (!next || (armed_ && *armed_ <= *next)) return;
        armed_ = next;
        alarm_->set(start_ + std::chrono::milliseconds{*next}, [this] { tick(); });
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

    const bool own_;
    std::atomic<std::size_t> under_way_ = 0;
    std::mutex mutex_;
    TimerWheel wheel_;
    TimePoint start_ = SteadyClock{}.now();
    std::optional<std::uint64_t> armed_;
    std::unique_ptr<Alarm> alarm_;
};

[[nodiscard]] inline DeadlineService& deadlines_of(asio::execution_context& context) {
    if (&context != turned_here.context) return asio::use_service<DeadlineService>(context);
    if (turned_here.deadlines == nullptr) turned_here.deadlines = &asio::use_service<DeadlineService>(context);
    return static_cast<DeadlineService&>(*turned_here.deadlines);
}

} // namespace mooncake::core::detail
