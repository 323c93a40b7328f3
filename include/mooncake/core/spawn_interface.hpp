#pragma once

/// `spawn`, for units that use what was compiled before; `spawn.hpp` is for all others.

#include <mooncake/core/launch_interface.hpp>
#include <mooncake/core/serial_interface.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace mooncake {

namespace core::detail {

/// Runs `task`; an exception of its is a result like others.
template <class T>
Task<T> caught(Task<T> task) {
    auto what = std::string();
    try {
        co_return co_await std::move(task);
    } catch (...) {
        what = what_is_thrown();
    }
    co_return Error(Errc::system, std::move(what));
}

/// A task that was spawned, and whoever waits for it.
template <class T, class Handler>
class Spawned {
  public:
    static void start(const Executor& on, Task<T> task, Handler handler) {
        const auto executor = serial(on);
        const auto signal = std::make_shared<asio::cancellation_signal>();
        const auto self = std::make_shared<Spawned>(Spawned(std::move(handler), executor));
        if (self->slot_.is_connected())
            self->slot_.assign([executor, weak = std::weak_ptr(signal)](asio::cancellation_type type) {
                asio::dispatch(executor, [weak, type] {
                    if (const auto left = weak.lock()) left->emit(type);
                });
            });
        launch(executor, entry(caught(std::move(task)), self->result_), signal->slot(),
               [self, signal](const std::exception_ptr&) { std::move(*self).finish(); });
    }

  private:
    Spawned(Handler handler, const Executor& executor)
        : slot_(asio::get_associated_cancellation_slot(handler)),
          work_(asio::get_associated_executor(handler, executor)), handler_(std::move(handler)) {}

    /// Where the handler belongs: there its cancellation may come, too.
    void finish() && {
        const auto executor = work_.get_executor();
        const auto meanwhile =
            work_; // its context may end as soon as it has nothing to do, but not in the middle of this
        asio::dispatch(executor, [self = std::move(*this)]() mutable {
            if (self.slot_.is_connected()) self.slot_.clear();
            self.work_.reset();
            std::move(self.handler_)(std::move(self.result_));
        });
    }

    asio::cancellation_slot slot_;
    asio::executor_work_guard<asio::associated_executor_t<Handler, Executor>> work_;
    Handler handler_;
    Result<T> result_ = Errc::cancelled;
};

} // namespace core::detail

/// Starts `task` on `executor` and completes `token` with its `Result<T>`: the way in from code that has no coroutines.
/// `token` is any of Asio's: a callback `[](mooncake::Result<T>)`, `asio::use_future`, `asio::detached`,
/// `asio::use_awaitable`, or one of those in `asio::bind_executor` and `asio::bind_cancellation_slot`.
///
/// `executor`: one of a `Runtime`'s, or an application's own, whose context may be run by any number of threads. A callback
/// without an executor of its own is called there. An exception of the task's is a result, `system`.
/// Cancellation: of every type; the result says what became of the task.
/// Lifetime: what the task uses stays until `token` is completed. Thread: any.
template <class T, asio::completion_token_for<void(Result<T>)> Token>
auto spawn(const Executor& executor, Task<T> task, Token&& token) {
    auto start = [](auto handler, const Executor& on, Task<T> begun) {
        core::detail::Spawned<T, decltype(handler)>::start(on, std::move(begun), std::move(handler));
    };
    return asio::async_initiate<Token, void(Result<T>)>(std::move(start), token, executor, std::move(task));
}

} // namespace mooncake
