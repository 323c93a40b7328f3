#pragma once

#include <mooncake/core/deadline_service.hpp>
#include <mooncake/core/task.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace mooncake {

/// Why a wait ended.
enum class Wake : std::uint8_t { set, timed_out, cancelled };

/// Whether a wait gives way to cancellation.
enum class Interrupt : std::uint8_t { yes, no };

/// What a wait is for: a context that ends while one for an operation is under way ends the program, with a sentence.
enum class Awaits : std::uint8_t { signal, operation };

[[nodiscard]] constexpr Errc to_errc(Wake wake) noexcept {
    return wake == Wake::set ? Errc::ok : wake == Wake::timed_out ? Errc::timed_out : Errc::cancelled;
}

/// An auto-reset event with one waiter: what operations complete through. It lives in the frame of the coroutine that
/// waits, or beside the state that it guards; setting it allocates nothing.
///
/// A `set` before the wait is remembered once. A wait that timed out or was cancelled leaves the event usable, so that
/// the waiter can ask for its buffers back and wait again until it has them.
/// Thread: `set` from any; one waiter at a time, which resumes on its own executor. Destroyed only while nobody waits.
class Event {
  public:
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void set() noexcept { finish(State::set); }
    /// The same, and the waiter goes on before this returns, where that is its thread. For who has no lock and nothing half
    /// done: the waiter may do anything.
    void set_and_go_on() noexcept { finish(State::set, Resume::here); }

    /// Cancellation: total; nothing is consumed. A cancellation that came before the wait counts.
    template <class = void> // here and in the classes around: only who uses it pays for compiling it
    asio::awaitable<Wake> wait(Deadline deadline = {}, Interrupt interrupt = Interrupt::yes,
                               Awaits what = Awaits::signal) {
        if (interrupt == Interrupt::yes) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != asio::cancellation_type::none) co_return Wake::cancelled;
        }
        if (auto set = State::set; state_.compare_exchange_strong(set, State::idle, std::memory_order_acq_rel))
            co_return Wake::set;
        auto start = [this, deadline, interrupt, what](auto handler) {
            this->begin(std::move(handler), deadline, interrupt, what);
        };
        const auto wake = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, Wake)>(
            start, asio::use_awaitable);
        timer_.remove();
        if (slot_.is_connected()) std::exchange(slot_, asio::cancellation_slot{}).clear();
        co_return wake;
    }

  private:
    enum class Resume : std::uint8_t { posted, here };
    enum class State : std::uint8_t { idle, starting, waiting, set, timed_out, cancelled };

    struct Waiter {
        virtual ~Waiter() = default;
        virtual void resume(std::unique_ptr<Waiter> self, Wake wake, Resume how) = 0;
        /// The context may be gone as soon as it has nothing to do: it has as long as `resume` takes.
        bool busy = false;
    };

    template <class Handler>
    struct WaiterOf final : Waiter {
        explicit WaiterOf(Handler h) : handler(std::move(h)), executor(asio::get_associated_executor(handler)) {}
        void resume(std::unique_ptr<Waiter> self, Wake wake, Resume how) override {
            auto resumed = std::move(handler);
            auto on = std::optional(std::move(executor));
            const auto may_end = busy;
            self.reset();
            auto go_on = [resumed = std::move(resumed), wake]() mutable { resumed(std::exception_ptr{}, wake); };
            if (how == Resume::here && core::detail::runs_here(*on)) return go_on();
            if (!may_end) return asio::post(*on, std::move(go_on));
            const auto meanwhile = asio::prefer(*on, asio::execution::outstanding_work.tracked);
            on.reset(); // a strand that is not counted as work must not be here any more when the context goes
            asio::post(meanwhile, std::move(go_on));
        }
        Handler handler;
        asio::associated_executor_t<Handler> executor;
    };

    struct Timer : core::detail::DeadlineService::Node {
        /// Whether the context is somebody else's.
        template <class Ex>
        bool enter(const Ex& executor, Awaits what) {
            auto& context = asio::query(executor, asio::execution::context);
            service = &core::detail::deadlines_of(context);
            counted = what == Awaits::operation && !service->own();
            if (counted) service->enter();
            return !service->own();
        }
        void remove() noexcept {
            if (!service) return;
            if (std::exchange(counted, false)) service->leave();
            std::exchange(service, nullptr)->remove(*this);
        }
        core::detail::DeadlineService* service = nullptr;
        Event* event = nullptr;
        bool counted = false;
    };

    template <class Handler>
    void begin(Handler handler, Deadline deadline, Interrupt interrupt, Awaits what) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto waiter = std::make_unique<WaiterOf<Handler>>(std::move(handler));
        const auto executor = waiter->executor;
        waiter_ = std::move(waiter);
        auto state = State::idle;
        if (state_.compare_exchange_strong(state, State::starting, std::memory_order_acq_rel)) {
            if (interrupt == Interrupt::yes && slot.is_connected()) {
                slot_ = slot;
                slot.assign([this](asio::cancellation_type) { finish(State::cancelled); });
            }
            if (!deadline.is_never() || what == Awaits::operation) {
                waiter_->busy = timer_.enter(executor, what);
                if (!deadline.is_never()) arm(executor, deadline);
            }
            state = State::starting;
            // Once this succeeds the waiter may be running on another thread: touch nothing after it.
            if (state_.compare_exchange_strong(state, State::waiting, std::memory_order_acq_rel)) return;
        }
        deliver(state);
    }

    template <class Ex>
    void arm(const Ex& executor, Deadline deadline) {
        timer_.event = this;
        timer_.expire = [](core::detail::DeadlineService::Node& node) noexcept {
            static_cast<Timer&>(node).event->finish(State::timed_out);
        };
        timer_.service->add(executor, timer_, deadline);
    }

    /// `set` is remembered when nobody waits; a time-out and a cancellation are for a wait in progress only.
    void finish(State why, Resume how = Resume::posted) noexcept {
        auto state = state_.load(std::memory_order_acquire);
        do {
            const auto waits = state == State::starting || state == State::waiting;
            if (!waits && (why != State::set || state == State::set)) return;
        } while (!state_.compare_exchange_weak(state, why, std::memory_order_acq_rel));
        if (state == State::waiting) deliver(why, how);
    }

    void deliver(State why, Resume how = Resume::posted) noexcept {
        auto waiter = std::move(waiter_);
        auto state = why; // a `set` that overtook a time-out stays for the next wait
        state_.compare_exchange_strong(state, State::idle, std::memory_order_acq_rel);
        auto& resumed = *waiter;
        resumed.resume(std::move(waiter),
                       why == State::set         ? Wake::set
                       : why == State::timed_out ? Wake::timed_out
                                                 : Wake::cancelled,
                       how);
    }

    std::atomic<State> state_ = State::idle;
    std::unique_ptr<Waiter> waiter_;
    asio::cancellation_slot slot_;
    Timer timer_;
};

} // namespace mooncake
