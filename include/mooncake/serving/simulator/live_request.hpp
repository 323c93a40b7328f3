#pragma once

#include <mooncake/serving/simulator/metrics.hpp>
#include <mooncake/serving/trace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mooncake::serving::detail {

/// What happens next in a simulation.
struct SimulatorEvent {
    enum class Kind : std::uint8_t {
        prefill_ready,
        prefill_pause,
        prefill_end,
        decode,
        coupled,
        fault,
        copied,
        roles,
        role
    };
    double time = 0;
    std::uint64_t order = 0; // of events at one time: as they were made
    Kind kind = Kind::prefill_ready;
    InstanceId instance = 0;
    std::uint64_t version = 0;                                   // fault, copied: which one
    bool operator<(const SimulatorEvent& other) const noexcept { // the greatest is the first
        return time != other.time ? time > other.time : order > other.order;
    }
};

/// A request that is being served.
struct LiveRequest {
    TraceRequest trace;
    double arrival = 0, first_token = 0, seconds = 0; // seconds: of its prefill, once that has begun
    std::uint64_t computed = 0;                       // tokens of it
    InstanceId prefill = 0, decode = no_instance;
    std::uint32_t fetched = 0;  // leading blocks that are sent to it, with what was there
    std::uint32_t attempts = 0; // that an instance's end cut short
    ServeClass priority = ServeClass::normal;
};

/// Blocks that are on their way from cache to cache.
struct CopyUnderWay {
    InstanceId source = no_instance, target = no_instance;
    std::vector<std::uint64_t> blocks{};
};

/// It has all of its tokens. `tbt`: the mean of its longest tenth of intervals; `first`: when the first request came.
inline void count_completion(ServeMetrics& metrics, const LiveRequest& request, double tbt, double now, double first,
                             double ttft_slo, double tbt_slo) {
    const auto output = std::max<std::uint64_t>(1, request.trace.output_length);
    const auto ttft = request.first_token - request.arrival;
    ++metrics.completed;
    metrics.input_tokens += request.trace.input_length;
    metrics.output_tokens += output;
    metrics.ttft.add(ttft);
    metrics.end_to_end.add(now - request.arrival);
    if (output > 1) {
        metrics.tpot.add((now - request.first_token) / static_cast<double>(output - 1));
        metrics.tbt.add(tbt);
    }
    if (ttft > ttft_slo || tbt > tbt_slo) return;
    ++metrics.within_slo;
    auto& mine = metrics.classes[static_cast<std::size_t>(request.priority)];
    ++mine.within_slo;
    mine.longest_pause = std::max(mine.longest_pause, now - std::max(mine.last, first));
    mine.last = now;
}

/// The places of a trace's requests, by time.
[[nodiscard]] inline std::vector<std::size_t> order_of(std::span<const TraceRequest> trace) {
    auto order = std::vector<std::size_t>(trace.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
        const auto first = trace[a].timestamp_ms, second = trace[b].timestamp_ms;
        return first != second ? first < second : a < b;
    });
    return order;
}

} // namespace mooncake::serving::detail
