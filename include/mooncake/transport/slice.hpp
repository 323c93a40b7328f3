#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/deadline.hpp>
#include <mooncake/core/errc.hpp>
#include <mooncake/core/priority.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>

namespace mooncake {

/// Which way the bytes go, seen from the engine that asks.
enum class Direction : std::uint8_t { read, write };

/// Whether the XXH3-64 of each slice is wanted; transports that copy themselves compute it while they do.
enum class Digest : std::uint8_t { none, xxh3 };

/// A contiguous piece of a request: the unit that a path takes or refuses.
struct Slice {
    std::byte* local = nullptr; ///< this process's memory; only read from in a write
    std::uint64_t length = 0;   ///< bytes
    std::uint64_t remote = 0;   ///< offset in the segment
    std::uint64_t key = 0;      ///< the region's access key
    std::uint64_t epoch = 0;    ///< of a write: of the allocation it is for, checked where the bytes arrive; 0: none

    std::uint64_t digest = 0; ///< out: of the bytes moved, when asked for and `outcome` is `ok`
    Errc outcome = Errc::ok;  ///< out
    bool settled = true;      ///< out, of a write: nothing of it, or of an attempt before, can arrive any more

    // out, kept by the engine, but for `queued_us`, which is the transport's: how it went
    std::uint8_t attempts = 0;   ///< it was handed to a way, so many times; at most 255
    std::uint8_t device = 0;     ///< of those that the peer describes, the one that the last attempt used
    std::uint32_t queued_us = 0; ///< of the last attempt: from when it was handed over until its first byte left
    std::uint32_t moving_us = 0; ///< of the last attempt: from then until it was over
};
static_assert(sizeof(Slice) <= 64); // a cache line

/// What a transport is handed in one go. The slices, and the memory they name, belong to the caller until the transfer
/// returns, and to the transport until then.
struct SliceGroup {
    Direction direction = Direction::read;
    Digest digest = Digest::none;
    std::span<Slice> slices;
    Deadline deadline;
    Priority priority = Priority::normal;
};

/// As slices have it: at most 71 minutes.
[[nodiscard]] inline std::uint32_t in_microseconds(Duration time) noexcept {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint32_t>::max()));
}

/// Gives every slice the same outcome.
inline void set_outcome(std::span<Slice> slices, Errc outcome) noexcept {
    for (auto& slice : slices) slice.outcome = outcome;
}

[[nodiscard]] inline std::uint64_t total_bytes(std::span<const Slice> slices) noexcept {
    auto sum = std::uint64_t{0};
    for (const auto& slice : slices) sum += slice.length;
    return sum;
}

} // namespace mooncake
