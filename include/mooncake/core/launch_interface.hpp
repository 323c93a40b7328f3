#pragma once

#include <mooncake/core/task.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace mooncake::core::detail {

using Over = std::function<void(const std::exception_ptr&)>;

/// What every coroutine thread of this library starts with: all kinds of cancellation arrive, and arrive as values.
/// `result` is set before the thread is over.
template <class T>
asio::awaitable<void, Executor> entry(Task<T> task, Result<T>& result) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    result = co_await std::move(task);
}

/// Starts `thread` on `executor`, where `slot` cancels it and `over` is called when it is over. The one place where that is
/// done, for all types of tasks: it is much to compile.
template <class Void = void>
void launch(const Executor& executor, asio::awaitable<void, Executor> thread, const asio::cancellation_slot& slot,
            Over over);

/// What an exception says. Requires: it is being handled.
[[nodiscard]] inline std::string what_is_thrown() {
    try {
        throw;
    } catch (const std::exception& thrown) {
        return thrown.what();
    } catch (...) {
        return "an exception of unknown type";
    }
}

} // namespace mooncake::core::detail
