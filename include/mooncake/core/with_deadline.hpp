#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/launch.hpp>
#include <mooncake/core/serial.hpp>

#include <boost/asio/dispatch.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace mooncake {

namespace core::detail {

/// A coroutine of its own whose caller can cancel it, awaited to its end whatever happens.
template <class T>
class Child {
  public:
    Result<T> result = Errc::cancelled;
    std::exception_ptr thrown;

    /// `over()` is called, somewhere, when the result is there: nothing of the child is touched any more.
    void start(const Executor& executor, Task<T> task, std::function<void()> over) {
        executor_ = serial(executor);
        over_ = std::move(over);
        launch(executor_, entry(std::move(task), result), signal_->slot(), [this](const std::exception_ptr& failure) {
            thrown = failure;
            const auto told = std::move(over_); // it, and not this, outlives the call
            told();
        });
    }

    /// On the child's executor, beside which the caller may run; by then the child may be over, and gone.
    void cancel() {
        asio::dispatch(executor_, [signal = signal_] { signal->emit(asio::cancellation_type::terminal); });
    }

  private:
    Executor executor_;
    std::function<void()> over_;
    std::shared_ptr<asio::cancellation_signal> signal_ = std::make_shared<asio::cancellation_signal>();
};

} // namespace core::detail

/// Runs `task` and cancels it at `deadline`; the result is then `timed_out`, unless the task was over all the same.
/// For operations that open, connect or close; those on the data path carry a deadline of their own.
/// Cancellation: passed on to the task. What the task uses is free when this returns.
/// Thread: the caller's executor; where several threads turn that, the task has a strand on top of it.
template <class T>
Task<T> with_deadline(Task<T> task, Deadline deadline) {
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    auto child = core::detail::Child<T>();
    auto over = Event();
    child.start(executor, std::move(task), [&over] { over.set(); });
    const auto wake = co_await over.wait(deadline);
    if (wake != Wake::set) {
        child.cancel();
        co_await over.wait(Deadline::never(), Interrupt::no);
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (child.thrown) std::rethrow_exception(child.thrown);
    if (wake != Wake::set && child.result.has_error()) co_return to_errc(wake);
    co_return std::move(child.result);
}

} // namespace mooncake
