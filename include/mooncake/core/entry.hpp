#pragma once

#include <mooncake/core/task.hpp>

#include <exception>
#include <string>
#include <utility>

namespace mooncake::core::detail {

/// What every coroutine thread of this library starts with: all kinds of cancellation arrive, and arrive as values.
template <class T>
Task<T> entry(Task<T> task) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return co_await std::move(task);
}

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
