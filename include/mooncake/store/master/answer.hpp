#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/store/master/handlers.hpp>
#include <mooncake/store/master/listing.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

/// The master's handlers by message, the same for callers in this process and for those on the network. `M`: `Handlers`, or a
/// `Master`.
namespace mooncake::store::detail {

template <class M>
Result<SegmentMountReply> answer(M& master, const SegmentMount& message) {
    return master.mount(message);
}
template <class M>
Result<HeartbeatReply> answer(M& master, const Heartbeat& message) {
    return master.heartbeat(message);
}
template <class M>
Result<Nothing> answer(M& master, const Unmount& message) {
    const auto done = master.unmount(message);
    return done ? Result<Nothing>(Nothing()) : done.error();
}
template <class M>
Result<SegmentsReply> answer(M& master, const Segments& message) {
    return master.segments(message);
}
template <class M>
Result<PutStartReply> answer(M& master, const PutStart& message) {
    return master.put_start(message);
}
template <class M>
Result<PutEndReply> answer(M& master, const PutEnd& message) {
    return master.put_end(message);
}
template <class M>
Result<PutAbortReply> answer(M& master, const PutAbort& message) {
    return master.put_abort(message);
}
template <class M>
Result<GetReply> answer(M& master, const Get& message) {
    return master.get(message);
}
template <class M>
Result<QueryReply> answer(M& master, const Query& message) {
    return master.query(message);
}
template <class M>
Result<Nothing> answer(M& master, const Release& message) {
    const auto done = master.release(message);
    return done ? Result<Nothing>(Nothing()) : done.error();
}
template <class M>
Result<RenewReply> answer(M& master, const Renew& message) {
    return master.renew(message);
}
template <class M>
Result<RenewManyReply> answer(M& master, const RenewMany& message) {
    return master.renew(message);
}
template <class M>
Result<Nothing> answer(M& master, const ReportBad& message) {
    const auto done = master.report_bad(message);
    return done ? Result<Nothing>(Nothing()) : done.error();
}
template <class M>
Result<RemoveReply> answer(M& master, const Remove& message) {
    return master.remove(message);
}
template <class M>
Result<StatsReply> answer(M& master, const Stats& message) {
    return master.stats(message);
}
template <class M>
Result<DescribeReply> answer(M& master, const Describe&) {
    return master.describe();
}

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
