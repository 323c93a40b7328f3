#pragma once

#include <mooncake/core/result.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <type_traits>

namespace mooncake {

namespace asio = boost::asio;

using Executor = asio::any_io_executor;

/// What every public asynchronous operation returns: await it for a `Result<T>`.
/// `T` is default-constructible to an empty state, since Asio's `co_spawn` makes one on its way out.
/// Anything else than a coroutine gets there through `asio::co_spawn(executor, task, token)` or `sync_wait`.
template <class T>
    requires(std::is_void_v<T> || std::is_default_constructible_v<T>)
using Task = asio::awaitable<Result<T>>;

namespace core::detail {

/// Whether this coroutine was asked to stop: `stopping(co_await asio::this_coro::cancellation_state)`. To be looked at
/// before each wait of a loop: Asio forgets a cancellation that comes while a completed operation has yet to resume.
[[nodiscard]] inline bool stopping(const asio::cancellation_state& state) noexcept {
    return state.cancelled() != asio::cancellation_type::none;
}

} // namespace core::detail

} // namespace mooncake
