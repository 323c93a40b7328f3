#pragma once

#include <mooncake/serving/trace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace mooncake {

/// What a trace looks like to a cache, whatever the cache.
struct WorkloadStatistics {
    std::uint64_t requests = 0;
    std::uint64_t blocks = 0; ///< references
    std::uint64_t distinct_blocks = 0;
    double seconds = 0;     ///< from the first request to the last
    double mean_blocks = 0; ///< of input, a request
    double p50_blocks = 0, p90_blocks = 0;
    double mean_output = 0;                                ///< tokens
    double requests_per_burst = 0;                         ///< that share a timestamp, give or take 50 ms
    double burst_gap_seconds = 0;                          ///< median
    double hit_ratio = 0;                                  ///< leading blocks seen before, of all: an infinite cache
    double seen_once = 0;                                  ///< share of the distinct blocks
    double return_p10 = 0, return_p50 = 0, return_p90 = 0; ///< seconds until a block comes again, the shared head aside
};

/// The real conversation trace (`reference.md` §5), for comparison where the file is not there.
inline constexpr auto conversation_statistics = WorkloadStatistics{.requests = 12'031,
                                                                   .blocks = 288'500,
                                                                   .distinct_blocks = 182'790,
                                                                   .seconds = 3'537,
                                                                   .mean_blocks = 23.98,
                                                                   .p50_blocks = 14,
                                                                   .p90_blocks = 54,
                                                                   .mean_output = 342.6,
                                                                   .requests_per_burst = 10.2,
                                                                   .burst_gap_seconds = 3.0,
                                                                   .hit_ratio = .3664,
                                                                   .seen_once = .7585,
                                                                   .return_p10 = 45,
                                                                   .return_p50 = 135,
                                                                   .return_p90 = 531};

namespace serving::detail {

/// The value below which a share `p` of `values` lies. Reorders them; 0 for none.
template <class T>
[[nodiscard]] double quantile(std::vector<T>& values, double p) {
    if (values.empty()) return 0;
    const auto at = std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return static_cast<double>(values[at]);
}

[[nodiscard]] inline double ratio(std::uint64_t part, std::uint64_t whole) noexcept {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// From `earlier` to `time`; 0 in a trace that is not in order.
[[nodiscard]] constexpr std::uint64_t later_by(std::uint64_t time, std::uint64_t earlier) noexcept {
    return time - std::min(time, earlier);
}

} // namespace serving::detail

/// Requests are taken in the order given. Complexity: O(blocks).
[[nodiscard]] inline WorkloadStatistics statistics_of(std::span<const TraceRequest> trace) {
    namespace detail = serving::detail;
    constexpr std::uint64_t same_burst_ms = 50;
    struct Seen {
        std::uint64_t times = 0, last_ms = 0;
    };
    auto seen = std::unordered_map<std::uint64_t, Seen>();
    auto lengths = std::vector<std::uint64_t>();
    auto gaps = std::vector<std::uint64_t>(), returns = std::vector<std::uint64_t>();
    std::uint64_t hits = 0, output = 0, bursts = trace.empty() ? 0 : 1;
    auto s = WorkloadStatistics{.requests = trace.size()};
    const auto head = trace.empty() || trace.front().hash_ids.empty() ? 0 : trace.front().hash_ids.front();
    for (std::size_t i = 0; i < trace.size(); ++i) {
        const auto& request = trace[i];
        const auto& ids = request.hash_ids;
        lengths.push_back(ids.size());
        s.blocks += ids.size();
        output += request.output_length;
        hits += static_cast<std::uint64_t>(
            std::find_if_not(ids.begin(), ids.end(), [&](auto id) { return seen.contains(id); }) - ids.begin());
        for (const auto id : ids) {
            auto& block = seen[id];
            if (block.times++ != 0 && id != head)
                returns.push_back(detail::later_by(request.timestamp_ms, block.last_ms));
            block.last_ms = request.timestamp_ms;
        }
        if (i == 0 || request.timestamp_ms <= trace[i - 1].timestamp_ms + same_burst_ms) continue;
        gaps.push_back(detail::later_by(request.timestamp_ms, trace[i - 1].timestamp_ms));
        ++bursts;
    }
    std::uint64_t once = 0;
    for (const auto& block : seen) once += block.second.times == 1;
    s.distinct_blocks = seen.size();
    s.seconds =
        trace.empty()
            ? 0
            : static_cast<double>(detail::later_by(trace.back().timestamp_ms, trace.front().timestamp_ms)) / 1000;
    s.mean_blocks = detail::ratio(s.blocks, s.requests);
    s.p50_blocks = detail::quantile(lengths, .5);
    s.p90_blocks = detail::quantile(lengths, .9);
    s.mean_output = detail::ratio(output, s.requests);
    s.requests_per_burst = detail::ratio(s.requests, bursts);
    s.burst_gap_seconds = detail::quantile(gaps, .5) / 1000;
    s.hit_ratio = detail::ratio(hits, s.blocks);
    s.seen_once = detail::ratio(once, s.distinct_blocks);
    s.return_p10 = detail::quantile(returns, .1) / 1000;
    s.return_p50 = detail::quantile(returns, .5) / 1000;
    s.return_p90 = detail::quantile(returns, .9) / 1000;
    return s;
}

/// Both, side by side, a line for each figure.
[[nodiscard]] inline std::string compare(const std::string& left_name, const WorkloadStatistics& left,
                                         const std::string& right_name, const WorkloadStatistics& right) {
    auto text = std::string();
    const auto line = [&](const char* what, const char* format, double a, double b) {
        char cells[2][32], row[160];
        std::snprintf(cells[0], sizeof cells[0], format, a);
        std::snprintf(cells[1], sizeof cells[1], format, b);
        std::snprintf(row, sizeof row, "%-34s %16s %16s\n", what, cells[0], cells[1]);
        text += row;
    };
    char title[160];
    std::snprintf(title, sizeof title, "%-34s %16.16s %16.16s\n", "workload", left_name.c_str(), right_name.c_str());
    text += title;
    line("requests", "%.0f", static_cast<double>(left.requests), static_cast<double>(right.requests));
    line("blocks", "%.0f", static_cast<double>(left.blocks), static_cast<double>(right.blocks));
    line("distinct blocks", "%.0f", static_cast<double>(left.distinct_blocks),
         static_cast<double>(right.distinct_blocks));
    line("duration, s", "%.0f", left.seconds, right.seconds);
    line("input blocks, mean", "%.2f", left.mean_blocks, right.mean_blocks);
    line("input blocks, p50", "%.0f", left.p50_blocks, right.p50_blocks);
    line("input blocks, p90", "%.0f", left.p90_blocks, right.p90_blocks);
    line("output tokens, mean", "%.1f", left.mean_output, right.mean_output);
    line("requests a burst", "%.1f", left.requests_per_burst, right.requests_per_burst);
    line("burst gap, s", "%.2f", left.burst_gap_seconds, right.burst_gap_seconds);
    line("prefix hit ratio, infinite cache", "%.4f", left.hit_ratio, right.hit_ratio);
    line("blocks seen once", "%.4f", left.seen_once, right.seen_once);
    line("return time, s, p10", "%.0f", left.return_p10, right.return_p10);
    line("return time, s, p50", "%.0f", left.return_p50, right.return_p50);
    line("return time, s, p90", "%.0f", left.return_p90, right.return_p90);
    return text;
}

} // namespace mooncake
