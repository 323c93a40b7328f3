#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/copier.hpp>
#include <mooncake/net/latch.hpp>
#include <mooncake/transport/slice.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>

namespace mooncake::transport::detail {

/// Copies what fits in one go; longer groups yield in between, so that others on the executor are not held up.
inline constexpr std::uint64_t inline_bytes = 1 * MiB;
/// From here on the other threads of the runtime help.
inline constexpr std::uint64_t shared_bytes = 4 * MiB;

/// Moves one slice between `slice.local` and `remote`, which is this process's memory too.
template <Copier C>
void copy_slice(Slice& slice, std::byte* remote, Direction direction, Digest digest) noexcept {
    auto* const to = direction == Direction::read ? slice.local : remote;
    const auto* const from = direction == Direction::read ? remote : slice.local;
    if (digest == Digest::xxh3) slice.digest = copy_and_hash(to, from, slice.length);
    else C::copy(to, from, slice.length);
    slice.outcome = Errc::ok;
}

/// Whether a group is small enough, and asks for nothing else, to be copied in one go.
[[nodiscard]] inline bool is_immediate(const SliceGroup& group) noexcept {
    return group.digest == Digest::none && total_bytes(group.slices) <= inline_bytes;
}

/// Moves the slices of `group` whose remote end `remotes` names (null: refused before, its outcome stands).
/// Cancellation: partial, between slices.
template <Copier C>
asio::awaitable<void> copy_group(Runtime& runtime, SliceGroup group, std::span<std::byte* const> remotes) {
    const auto copy = [group, remotes](std::size_t i) noexcept {
        if (remotes[i]) copy_slice<C>(group.slices[i], remotes[i], group.direction, group.digest);
    };
    const auto bytes = total_bytes(group.slices);
    const auto count = group.slices.size();
    if (group.deadline.passed()) { // nothing is moved for somebody who has given up
        for (std::size_t i = 0; i < count; ++i)
            if (remotes[i]) group.slices[i].outcome = Errc::timed_out;
        co_return;
    }
    if (bytes <= inline_bytes) {
        for (std::size_t i = 0; i < count; ++i) copy(i);
        co_return;
    }
    const auto executor = co_await asio::this_coro::executor;
    auto next = std::atomic<std::size_t>{0};
    auto stopped = std::atomic<Errc>{Errc::ok};
    const auto take = [&](std::uint64_t most) noexcept {
        for (auto done = std::uint64_t{0}; done < most;) {
            const auto i = next.fetch_add(1, std::memory_order_relaxed);
            if (i >= count) return false;
            if (stopped.load(std::memory_order_relaxed) != Errc::ok) {
                if (remotes[i]) group.slices[i].outcome = stopped;
                continue;
            }
            copy(i);
            done += group.slices[i].length;
        }
        return true;
    };
    const auto helpers = bytes > shared_bytes ? std::min(runtime.size() - 1, count - 1) : 0;
    auto helping = net::detail::Latch(helpers + 1);
    for (std::size_t i = 0; i < helpers; ++i)
        asio::post(runtime.other_executor(executor, i), [&take, &helping] {
            while (take(shared_bytes)) continue;
            helping.count_down();
        });
    for (auto more = take(inline_bytes); more; more = take(inline_bytes)) {
        co_await asio::post(executor, asio::use_awaitable);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) stopped = Errc::cancelled;
        else if (group.deadline.passed()) stopped = Errc::timed_out;
    }
    helping.count_down();
    co_await helping.wait(Deadline::never(), Interrupt::no);
}

} // namespace mooncake::transport::detail
