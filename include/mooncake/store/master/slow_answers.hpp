#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/store/master/handlers.hpp>
#include <mooncake/store/master/listing.hpp>
#include <mooncake/store/master/sweep.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// What a master takes its time for, the same for callers in this process and for those on the network. `M`: `Handlers`, or a
/// `Master`.
namespace mooncake::store::detail {

/// The calls that look at every object: in steps, so that they hold up nobody on their executor for more than one.
/// Cancellation: total; of what is removed it is partial. Errors: `timed_out`, `cancelled`, those of the message's validation.
template <class M, class Message>
Task<typename Message::Reply> in_steps(M& master, Message message, Deadline deadline) {
    if (deadline.passed()) co_return Errc::timed_out;
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    auto steps = master.begin(std::move(message));
    auto stopped = Errc::ok;
    while (steps && stopped == Errc::ok && master.go_on(*steps)) {
        co_await asio::post(executor, asio::use_awaitable);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) stopped = Errc::cancelled;
        else if (deadline.passed()) stopped = Errc::timed_out;
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (!steps) co_return steps.error();
    if (stopped != Errc::ok) co_return stopped;
    co_return steps->take();
}

/// A coroutine that waits.
struct Woken final : Waiter {
    void ready() noexcept override { event.set(); }
    Event event;
};

/// The call that waits for objects. Cancellation: total. Errors: `timed_out`, `cancelled`, those of the keys' validation.
template <class M>
Task<Nothing> wait_for(M& master, WaitFor message, Deadline deadline) {
    if (deadline.passed()) co_return Errc::timed_out;
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    // The master may still be in `ready` when this coroutine goes on: the pointer it holds keeps the event alive.
    auto waiter = std::make_shared<Woken>();
    const auto waiting = master.wait_for(message.keys, waiter);
    auto wake = Wake::set;
    if (waiting) wake = co_await waiter->event.wait(deadline);
    if (wake != Wake::set && !master.cancel_wait(*waiter)) wake = Wake::set;
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (!waiting) co_return waiting.error();
    if (wake != Wake::set) co_return to_errc(wake);
    co_return Nothing();
}

/// The call that waits for something to happen. Cancellation: total. Errors: `timed_out` (there was no time at all),
/// `cancelled`, those of the message's validation, `not_supported`.
template <class M>
Task<EventsReply> events(M& master, Events message, Deadline deadline) {
    if (deadline.passed()) co_return Errc::timed_out;
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    auto reply = master.read(message);
    if (reply && reply->events.empty() && message.wait_ms != 0) {
        auto waiter = std::make_shared<Woken>();
        auto wake = Wake::set;
        if (master.wait_for_event(reply->last, waiter)) {
            const auto until = deadline.or_sooner(Deadline(std::chrono::milliseconds{message.wait_ms}));
            wake = co_await waiter->event.wait(until);
            master.forget(*waiter);
        }
        if (wake == Wake::cancelled) {
            reply = Errc::cancelled;
        } else { // that a reader has no gap yet says the answer before
            message.after = reply->last;
            message.term = reply->term;
            const auto gap = reply->gap;
            reply = master.read(message);
            if (reply) reply->gap = std::max(reply->gap, gap);
        }
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return reply;
}

} // namespace mooncake::store::detail
