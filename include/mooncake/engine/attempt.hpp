#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/engine/transfer_pace.hpp>
#include <mooncake/transport/slice.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

/// How transfers went: what slices are told for their request's report, and what is counted.
namespace mooncake::engine::detail {

inline void begin_attempt(std::span<Slice> slices, std::size_t device) noexcept {
    for (auto& slice : slices) {
        if (slice.attempts != std::numeric_limits<std::uint8_t>::max()) ++slice.attempts;
        slice.device = static_cast<std::uint8_t>(device);
        slice.queued_us = slice.moving_us = 0;
    }
}

/// What of the attempt's time was not spent in a queue.
inline void end_attempt(std::span<Slice> slices, Duration took) noexcept {
    const auto all = in_microseconds(took);
    for (auto& slice : slices) slice.moving_us = all - std::min(slice.queued_us, all);
}

inline void learn(TransferPace& pace, std::span<const Slice> slices, Duration took) noexcept {
    const auto came = [](const Slice& slice) { return slice.outcome == Errc::ok; };
    if (std::all_of(slices.begin(), slices.end(), came)) pace.learn(total_bytes(slices), took);
}

/// What one transport has done so far. Thread: any.
struct alignas(64) TransportCounters {
    std::atomic<std::uint64_t> read = 0, written = 0, groups = 0, failures = 0;

    void count(const SliceGroup& group, bool success) noexcept {
        auto bytes = std::uint64_t{0};
        for (const auto& slice : group.slices)
            if (slice.outcome == Errc::ok) bytes += slice.length;
        (group.direction == Direction::read ? read : written).fetch_add(bytes, std::memory_order_relaxed);
        groups.fetch_add(1, std::memory_order_relaxed);
        if (!success) failures.fetch_add(1, std::memory_order_relaxed);
    }
};

} // namespace mooncake::engine::detail
