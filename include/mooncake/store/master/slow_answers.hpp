#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/store/master/handlers.hpp>
#include <mooncake/store/master/listing.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

/// What a master takes its time for, the same for callers in this process and for those on the network. `M`: `Handlers`, or a
/// `Master`.
namespace mooncake::store::detail {

/// The one call that looks at every object: in steps, so that it holds up nobody on its executor for more than one.
/// Cancellation: total. Errors: `timed_out`, `cancelled`, those of the message's validation.
template <class M>
Task<ListReply> list(M& master, List message, Deadline deadline) {
    if (deadline.passed()) co_return Errc::timed_out;
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    auto listing = master.begin_list(std::move(message));
    auto stopped = Errc::ok;
    while (listing && stopped == Errc::ok && master.go_on(*listing)) {
        co_await asio::post(executor, asio::use_awaitable);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) stopped = Errc::cancelled;
        else if (deadline.passed()) stopped = Errc::timed_out;
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (!listing) co_return listing.error();
    if (stopped != Errc::ok) co_return stopped;
    co_return listing->take();
}

/// The one call that waits. Cancellation: total. Errors: `timed_out`, `cancelled`, those of the keys' validation.
template <class M>
Task<Nothing> wait_for(M& master, WaitFor message, Deadline deadline) {
    struct Visible final : Waiter {
        void ready() noexcept override { event.set(); }
        Event event;
    };
    if (deadline.passed()) co_return Errc::timed_out;
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    // The master may still be in `ready` when this coroutine goes on: the pointer it holds keeps the event alive.
    auto waiter = std::make_shared<Visible>();
    const auto waiting = master.wait_for(message.keys, waiter);
    auto wake = Wake::set;
    if (waiting) wake = co_await waiter->event.wait(deadline);
    if (wake != Wake::set && !master.cancel_wait(*waiter)) wake = Wake::set;
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (!waiting) co_return waiting.error();
    if (wake != Wake::set) co_return to_errc(wake);
    co_return Nothing();
}

} // namespace mooncake::store::detail
