#pragma once

#include <mooncake/core/result.hpp>

#include <type_traits>

namespace boost::asio {
class any_io_executor;
template <typename T, typename Executor>
class awaitable;
} // namespace boost::asio

namespace mooncake {

namespace asio = boost::asio;

using Executor = asio::any_io_executor;

/// What every public asynchronous operation returns: await it for a `Result<T>`.
/// `T` is default-constructible to an empty state, since Asio's `co_spawn` makes one on its way out.
/// Anything else than a coroutine gets there through `asio::co_spawn(executor, task, token)` or `sync_wait`.
template <class T>
    requires(std::is_void_v<T> || std::is_default_constructible_v<T>)
using Task = asio::awaitable<Result<T>, Executor>;

} // namespace mooncake
