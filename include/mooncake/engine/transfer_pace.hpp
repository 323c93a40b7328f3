#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/clock.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace mooncake::engine::detail {

/// What transfers over a way took of late, those that went beside others among them, as a latency and a time for each byte.
///
/// Small ones tell the latency, larger ones the time for a byte, each smoothed: a new sample counts for an eighth (as in RFC 6298).
/// Thread: any. Two that learn at once may lose one of their samples, which is no loss.
class TransferPace {
  public:
    void learn(std::uint64_t bytes, Duration took) noexcept {
        const auto nanoseconds = static_cast<double>(took.count());
        if (bytes <= small) return blend(latency_, nanoseconds);
        const auto latency = latency_.load(std::memory_order_relaxed);
        const auto moving = latency < nanoseconds / 2 ? nanoseconds - latency : nanoseconds / 2;
        blend(per_byte_, moving / static_cast<double>(bytes));
    }

    /// Until `bytes` would be there. Nothing where nothing has moved yet.
    [[nodiscard]] std::optional<Duration> expected(std::uint64_t bytes) const noexcept {
        const auto latency = latency_.load(std::memory_order_relaxed);
        const auto per_byte = per_byte_.load(std::memory_order_relaxed);
        if (latency == 0 && per_byte == 0) return std::nullopt;
        const auto nanoseconds = std::min(latency + per_byte * static_cast<double>(bytes), most);
        return Duration(static_cast<Duration::rep>(nanoseconds));
    }

  private:
    static constexpr std::uint64_t small = 16 * KiB;
    static constexpr double most = 3600e9; ///< an hour is as good as never

    static void blend(std::atomic<double>& value, double sample) noexcept {
        const auto old = value.load(std::memory_order_relaxed);
        value.store(old == 0 ? sample : old + (sample - old) / 8, std::memory_order_relaxed);
    }

    std::atomic<double> latency_ = 0, per_byte_ = 0; // nanoseconds
};

} // namespace mooncake::engine::detail
