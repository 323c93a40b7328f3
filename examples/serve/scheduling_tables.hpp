#pragma once

#include "run.hpp"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

namespace serve {

/// Seconds of prefill a request, by the cost model alone.
inline void prefill_table(const Trace& trace) {
    title("prefill", "seconds of prefill a request, with no cache and with an infinite one");
    const auto cost = CostModel();
    auto seen = std::unordered_set<BlockKey>();
    auto none = 0.0, infinite = 0.0;
    for (const auto& request : trace) {
        auto held = std::uint32_t{0};
        while (held < request.hash_ids.size() && seen.contains(request.hash_ids[held])) ++held;
        none += cost.prefill_seconds(request.input_length, 0);
        infinite += cost.prefill_seconds(request.input_length, held);
        seen.insert(request.hash_ids.begin(), request.hash_ids.end());
    }
    const auto requests = static_cast<double>(trace.size());
    std::printf(
        "%-16s %8s %8s\n%-16s %8.3f %8.3f\n%-16s %8.3f %8.3f   (the model on the conversation trace)\n"
        "%-16s %8.2f %8.2f   (the model on the agentic trace)\n%-16s %8.3f %8.3f   (FAST'25 fig 8, conversation)\n",
        "", "none", "infinite", "here", none / requests, infinite / requests, "reference", 1.653, 1.050, "reference",
        24.60, 1.81, "published", 1.661, 1.062);
}

/// Mean time to the first token by scheduler, and ours with 5 to 12 prefill instances.
inline void schedulers_table(const Trace& trace) {
    title("schedulers", "mean TTFT by scheduler, 8 prefill instances");
    struct Row {
        std::string_view name;
        double published; // FAST'25 fig 5, 16 nodes
    };
    const auto config = cluster(8, 8);
    const auto base = run(trace, config, "kvcache-centric").ttft.mean();
    std::printf("%-18s %8s %8s %8s %10s %8s\n", "", "TTFT, s", "p99, s", "ratio", "published", "ratio");
    for (const auto& row : {Row{"random", 19.65},
                            {"least-loaded", 5.27},
                            {"local", 3.58},
                            {"kvcache-centric", 3.07},
                            {"least-delay", 0}}) {
        const auto m = run(trace, config, row.name);
        std::printf("%-18.*s %8.3f %8.2f %8.3f", static_cast<int>(row.name.size()), row.name.data(), m.ttft.mean(),
                    m.ttft.quantile(.99), m.ttft.mean() / base);
        if (row.published > 0) std::printf(" %10.2f %8.3f", row.published, row.published / 3.07);
        std::printf("\n");
    }
    std::printf("\n%-18s", "prefill instances");
    for (std::size_t n = 5; n <= 12; ++n) std::printf(" %8zu", n);
    std::printf("\n");
    for (const auto name : {"kvcache-centric", "least-delay"}) {
        std::printf("%-18s", name);
        for (std::size_t n = 5; n <= 12; ++n) std::printf(" %8.3f", run(trace, cluster(n, 8), name).ttft.mean());
        std::printf("\n");
    }
}

/// All rules of others, loads and ages of the index; all requests complete.
inline void rules_table(const Trace& trace) {
    title("rules", "mean and p99 TTFT, ours by the best rule of others, each with 8 prefill instances");
    std::printf("%6s %10s  %-16s %9s %9s %7s  %-16s %9s %9s %7s\n", "load", "staleness", "best mean of", "theirs, s",
                "ours, s", "ratio", "best p99 of", "theirs, s", "ours, s", "ratio");
    for (const auto load : {.5, 1., 2.})
        for (const auto staleness : {0., 1., 10., 30.}) {
            auto config = cluster(8, 8, load);
            config.staleness = staleness;
            auto mean = 1e18, p99 = 1e18;
            auto by_mean = std::string_view(), by_p99 = std::string_view();
            for (const auto name : others()) {
                const auto m = run(trace, config, name);
                if (m.ttft.mean() < mean) mean = m.ttft.mean(), by_mean = name;
                if (m.ttft.quantile(.99) < p99) p99 = m.ttft.quantile(.99), by_p99 = name;
            }
            config.conductor.remember = staleness;
            const auto ours = run(trace, config, "least-delay");
            std::printf("%6.1f %10.0f  %-16.*s %9.3f %9.3f %7.3f  %-16.*s %9.2f %9.2f %7.3f\n", load, staleness,
                        static_cast<int>(by_mean.size()), by_mean.data(), mean, ours.ttft.mean(),
                        ours.ttft.mean() / mean, static_cast<int>(by_p99.size()), by_p99.data(), p99,
                        ours.ttft.quantile(.99), ours.ttft.quantile(.99) / p99);
            std::fflush(stdout);
        }
}

/// Eight coupled workers, as published.
inline SimulatorConfig published_cluster() {
    auto config = SimulatorConfig();
    config.conductor.mode = ServingMode::coupled;
    config.conductor.prefill_instances = 8;
    const auto& c = config.coupled; // what a router believes: a chunk and its iteration
    config.conductor.cost.prefill = {.linear = 1024 * (c.token + c.iteration / static_cast<double>(c.chunk)),
                                     .quadratic = 0};
    return config;
}

inline void published_table(Trace trace) {
    title("published", "first 6,000 requests, 8 coupled workers of 1,024 blocks");
    trace.resize(std::min<std::size_t>(trace.size(), 6'000));
    struct Row {
        std::string_view name;
        double hits, ttft;
    };
    std::printf("%-16s %8s %10s %11s %10s\n", "", "hits", "published", "TTFT p50, s", "published");
    for (const auto& row : {Row{"longest-prefix", .180, .605},
                            {"overlap-load", .167, .618},
                            {"dual-map", .165, .665},
                            {"round-robin", .065, .647},
                            {"power-of-two", .064, .775},
                            {"least-delay", 0, 0}}) {
        const auto m = run(trace, published_cluster(), row.name);
        std::printf("%-16.*s %8.4f %10.3f %11.3f %10.3f\n", static_cast<int>(row.name.size()), row.name.data(),
                    m.reused_ratio(), row.hits, m.ttft.quantile(.5), row.ttft);
    }
}

/// What one cache of all would reuse, and how much of it is reached.
inline void caches_table(const Trace& trace) {
    title("caches", "share of blocks reused, 8 instances of 3M tokens");
    auto infinite = cluster(1, 8);
    infinite.conductor.cache_blocks = 10'000'000;
    const auto all = run(trace, infinite, "local");
    std::printf("%-34s %8s %14s %9s\n", "", "reused", "of infinite", "GPU time");
    const auto row = [&](const char* what, const ServeMetrics& m) {
        std::printf("%-34s %8.4f %14.3f %9.3f\n", what, m.reused_ratio(), m.reused_ratio() / all.reused_ratio(),
                    m.prefill_seconds / all.prefill_seconds);
    };
    row("infinite", all);
    row("local: least-loaded", run(trace, cluster(8, 8), "least-loaded"));
    row("local: local", run(trace, cluster(8, 8), "local"));
    row("global: kvcache-centric", run(trace, cluster(8, 8), "kvcache-centric"));
    row("global: least-delay", run(trace, cluster(8, 8), "least-delay"));
}

} // namespace serve
