#pragma once

#include "run.hpp"

#include <cstdio>
#include <span>
#include <string_view>
#include <vector>

namespace serve {

/// Ours, but what is learnt of slow instances is kept from it.
struct Unaware : LeastDelay {
    static constexpr std::string_view name = "unaware";
    Unaware() = default; // so that it is no aggregate: the base has an explicit constructor
    PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        same_.assign(instances.begin(), instances.end());
        for (auto& one : same_) one.pace = 1;
        return LeastDelay::choose(request, same_);
    }

  private:
    std::vector<PrefillInstance> same_;
};

/// Instances that go down and come back empty, and instances that are slow for a while.
inline void faults_table(const Trace& trace) {
    title("faults", "8P + 8D: each down for a minute or four times slower for two, once in twenty minutes (means)");
    std::printf("%-26s %9s %8s %7s %8s %8s %8s %8s %8s\n", "", "completed", "rejected", "failed", "retried", "wasted",
                "TTFT, s", "p99, s", "in SLO");
    const auto seconds = trace.empty() ? 0 : static_cast<double>(trace.back().timestamp_ms) / 1000;
    struct Row {
        const char* what;
        FaultRates rates;
    };
    for (const auto& [what, rates] : {Row{"none", {}},
                                      {"down", {.up = 1'200, .down = 60}},
                                      {"slow", {.steady = 1'200, .slow = 120, .slower = 4}},
                                      {"both", {.up = 1'200, .down = 60, .steady = 1'200, .slow = 120, .slower = 4}}}) {
        std::printf("%s\n", what);
        const auto row = [&](std::string_view name, AnyPrefill policy) {
            auto config = cluster(8, 8);
            config.faults = random_faults(rates, 8, 8, seconds);
            const auto m = run(trace, config, std::move(policy));
            std::printf("  %-24.*s %9llu %8llu %7llu %8llu %7.2f%% %8.3f %8.2f %7.2f%%\n",
                        static_cast<int>(name.size()), name.data(), static_cast<unsigned long long>(m.completed),
                        static_cast<unsigned long long>(m.rejected()), static_cast<unsigned long long>(m.failed),
                        static_cast<unsigned long long>(m.retried), 100 * m.wasted_ratio(), m.ttft.mean(),
                        m.ttft.quantile(.99),
                        100 * static_cast<double>(m.within_slo) / static_cast<double>(m.requests));
            std::fflush(stdout);
        };
        row("least-loaded", *make_prefill_policy("least-loaded"));
        row("kvcache-centric", KvCacheCentric());
        row("least-delay, not told", Unaware());
        row("least-delay", LeastDelay());
    }
}

} // namespace serve
