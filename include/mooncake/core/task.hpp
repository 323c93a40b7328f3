#pragma once

/// `Task`, ready to be awaited and to be written; `task_fwd.hpp` is enough for naming it.

#include <mooncake/core/task_fwd.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>

namespace mooncake {

namespace core::detail {

/// Whether this coroutine was asked to stop: `stopping(co_await asio::this_coro::cancellation_state)`. To be looked at
/// before each wait of a loop: Asio forgets a cancellation that comes while a completed operation has yet to resume.
[[nodiscard]] inline bool stopping(const asio::cancellation_state& state) noexcept {
    return state.cancelled() != asio::cancellation_type::none;
}

} // namespace core::detail

} // namespace mooncake
