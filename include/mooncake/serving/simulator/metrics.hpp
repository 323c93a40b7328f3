#pragma once

#include <mooncake/serving/admission/concept.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// A distribution of times: the mean exactly, quantiles to one per cent, in constant memory. Seconds.
class TimeHistogram {
  public:
    void add(double seconds, std::uint64_t times = 1) {
        if (times == 0) return;
        if (counts_.empty()) counts_.resize(buckets);
        const auto scaled = seconds <= shortest ? 0.0 : std::log(seconds / shortest) / step;
        counts_[std::min(buckets - 1, static_cast<std::size_t>(scaled))] += times;
        count_ += times;
        sum_ += seconds * static_cast<double>(times);
        most_ = std::max(most_, seconds);
    }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] double mean() const noexcept { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
    [[nodiscard]] double most() const noexcept { return most_; }
    /// /// The share that is at most so long, to one per cent of the time; 1 for none.
    [[nodiscard]] double share_within(double seconds) const noexcept {
        auto within = std::uint64_t{0};
        for (std::size_t i = 0;
             i < counts_.size() && shortest * std::exp(step * (static_cast<double>(i) + .5)) <= seconds; ++i)
            within += counts_[i];
        return count_ == 0 ? 1 : static_cast<double>(within) / static_cast<double>(count_);
    }
    /// The value below which a share `p` lies; 0 for none.
    [[nodiscard]] double quantile(double p) const noexcept {
        if (count_ == 0) return 0;
        auto left = p * static_cast<double>(count_);
        for (std::size_t i = 0; i < counts_.size(); ++i)
            if ((left -= static_cast<double>(counts_[i])) < 0)
                return std::min(most_, shortest * std::exp(step * (static_cast<double>(i) + .5)));
        return most_;
    }

  private:
    static constexpr double shortest = 1e-4, step = .01; // of the logarithm
    static constexpr std::size_t buckets = 2'400;        // up to 2.6e6 seconds
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    double sum_ = 0, most_ = 0;
};

/// What came out of a simulated run.
struct ServeMetrics {
    std::uint64_t requests = 0, completed = 0;
    std::uint64_t within_slo = 0;                       ///< completed with both promises kept
    std::array<std::uint64_t, 6> rejected_at_arrival{}; ///< by `Rejection`
    std::uint64_t rejected_late = 0; ///< after their prefill, or when they came again since their instance had gone
    std::uint64_t failed = 0;        ///< admitted, and could never run, or were cut short once too often
    std::uint64_t retried = 0;       ///< times that a request began again
    std::uint64_t role_changes = 0, copied_blocks = 0;               ///< copied: ahead, by a balance policy
    double seconds = 0;                                              ///< from the first arrival to the last token
    double prefill_seconds = 0;                                      ///< of instances, for all prefills
    double wasted_seconds = 0;                                       ///< of them in vain
    std::uint64_t input_tokens = 0, output_tokens = 0;               ///< of completed requests
    std::uint64_t blocks = 0, reused_blocks = 0, fetched_blocks = 0; ///< of prefilled prompts
    TimeHistogram ttft, tpot, itl, tbt, end_to_end; ///< tbt: of a request, the mean of its longest tenth of intervals
    struct ByClass {
        std::uint64_t requests = 0, within_slo = 0;
        double longest_pause = 0; ///< seconds between two that were completed in time
        double last = 0;
    };
    std::array<ByClass, serve_classes> classes{};

    [[nodiscard]] std::uint64_t rejected() const noexcept {
        auto sum = rejected_late;
        for (const auto count : rejected_at_arrival) sum += count;
        return sum;
    }
    [[nodiscard]] double reused_ratio() const noexcept {
        return blocks == 0 ? 0 : static_cast<double>(reused_blocks) / static_cast<double>(blocks);
    }
    [[nodiscard]] double wasted_ratio() const noexcept {
        return prefill_seconds <= 0 ? 0 : wasted_seconds / prefill_seconds;
    }
};

namespace serving::detail {

inline void append_json(std::string& text, std::string_view name, double value) {
    char line[96];
    std::snprintf(line, sizeof line, "%s\"%.*s\": %.6g", text.empty() || text.back() == '{' ? "" : ", ",
                  static_cast<int>(name.size()), name.data(), value);
    text += line;
}
inline void append_json(std::string& text, std::string_view name, std::uint64_t value) {
    if (!text.empty() && text.back() != '{') text += ", ";
    text += '"' + std::string(name) + "\": " + std::to_string(value);
}
inline void append_json(std::string& text, std::string_view name, const TimeHistogram& times) {
    if (!text.empty() && text.back() != '{') text += ", ";
    text += '"' + std::string(name) + "\": {";
    append_json(text, "mean", times.mean() * 1000);
    for (const auto& [quantile, p] : std::initializer_list<std::pair<const char*, double>>{
             {"p50", .5}, {"p75", .75}, {"p90", .9}, {"p95", .95}, {"p99", .99}})
        append_json(text, quantile, times.quantile(p) * 1000);
    text += '}';
}

} // namespace serving::detail

/// One JSON object on one line. Times of requests are in milliseconds, as in other simulators.
[[nodiscard]] inline std::string to_json(const ServeMetrics& m) {
    using serving::detail::append_json;
    auto text = std::string("{");
    append_json(text, "requests", m.requests);
    append_json(text, "completed", m.completed);
    append_json(text, "within_slo", m.within_slo);
    append_json(text, "rejected", m.rejected());
    append_json(text, "rejected_after_prefill", m.rejected_late);
    append_json(text, "failed", m.failed);
    append_json(text, "retried", m.retried);
    append_json(text, "duration_seconds", m.seconds);
    const auto rate = [&](auto count) { return m.seconds <= 0 ? 0 : static_cast<double>(count) / m.seconds; };
    append_json(text, "request_throughput", rate(m.completed));
    append_json(text, "output_throughput", rate(m.output_tokens));
    append_json(text, "total_token_throughput", rate(m.input_tokens + m.output_tokens));
    append_json(text, "reused_ratio", m.reused_ratio());
    append_json(text, "fetched_blocks", m.fetched_blocks);
    append_json(text, "copied_blocks", m.copied_blocks);
    append_json(text, "role_changes", m.role_changes);
    append_json(text, "prefill_seconds", m.prefill_seconds);
    append_json(text, "wasted_ratio", m.wasted_ratio());
    append_json(text, "ttft_ms", m.ttft);
    append_json(text, "tpot_ms", m.tpot);
    append_json(text, "itl_ms", m.itl);
    append_json(text, "tbt_ms", m.tbt);
    append_json(text, "e2e_ms", m.end_to_end);
    return text + "}";
}

} // namespace mooncake
