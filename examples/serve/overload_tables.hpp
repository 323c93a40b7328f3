#pragma once

#include "run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace serve {

/// Two copies of the trace, 24,062 requests, on 8 prefill and 2 decode instances, TBT 100 ms, loading overlapped: both pools
/// are near load 1 at the trace's own speed.
inline SimulatorConfig loaded(double speed) {
    auto config = cluster(8, 2, speed);
    config.conductor.tbt_slo = .1;
    config.conductor.cost.decode.load_bandwidth = 0;
    return config;
}
inline ServeMetrics run_loaded(const Trace& trace, const SimulatorConfig& config, AnyAdmission admission,
                               std::vector<LoadSample>* samples = nullptr) {
    auto requests = Superposition(trace, 2);
    auto sim = Sim(config, LeastDelay(), {}, std::move(admission));
    if (samples != nullptr) sim.sample_load(2);
    auto m = sim.run([&] { return requests(); }, [](const ServeMetrics&) {});
    if (samples != nullptr) samples->assign(sim.load_samples().begin(), sim.load_samples().end());
    return m;
}

inline void rejections_table(const Trace& trace) {
    title("rejections",
          "two copies of the trace, 8P + 2D, TTFT 30 s, TBT .1 s; not served: rejected, or served too late");
    for (const auto speed : {1., 1.5, 2.}) {
        auto base = 0.0;
        std::printf("%gx %-22s %9s %9s %9s %11s %7s %8s\n", speed, "", "rejected", "late", "in SLO", "not served",
                    "ratio", "wasted");
        const auto row = [&](const std::string& name, AnyAdmission admission) {
            const auto m = run_loaded(trace, loaded(speed), std::move(admission));
            const auto missed = static_cast<double>(m.requests - m.within_slo);
            if (base <= 0) base = missed;
            std::printf("   %-22s %9llu %9llu %9llu %11.0f %7.3f %7.1f%%\n", name.c_str(),
                        static_cast<unsigned long long>(m.rejected()), static_cast<unsigned long long>(m.rejected_late),
                        static_cast<unsigned long long>(m.within_slo), missed, missed / base, 100 * m.wasted_ratio());
            std::fflush(stdout);
        };
        row("baseline", LateCheck());
        row("early", EarlyRejection());
        for (const auto t : {20., 30., 40., 50., 70., 100.})
            row("predictive, t_d " + std::to_string(static_cast<int>(t)) + " s", PredictiveRejection(t));
        row("least-regret", LeastRegret());
    }
    std::printf("published (arXiv 2407.00079, other sizes): of 23,000 rejected 4183, 3771 (.902), 3589 (.858)\n");
}

inline void priorities_table(const Trace& trace) {
    title("priorities", "three classes at 2x on 8P + 2D, shares .2 .4 .4");
    auto config = loaded(2);
    config.shares = {.2, .4, .4};
    std::printf("%-14s %-8s %9s %11s %16s\n", "admission", "class", "requests", "in SLO, %", "longest pause, s");
    const auto rows = [&](const char* name, AnyAdmission admission) {
        const auto m = run_loaded(trace, config, std::move(admission));
        constexpr const char* names[] = {"top", "normal", "low"};
        for (std::size_t i = 0; i < serve_classes; ++i)
            std::printf("%-14s %-8s %9llu %11.2f %16.1f\n", name, names[i],
                        static_cast<unsigned long long>(m.classes[i].requests),
                        100 * static_cast<double>(m.classes[i].within_slo) / static_cast<double>(m.classes[i].requests),
                        m.classes[i].longest_pause);
    };
    rows("early", EarlyRejection());
    rows("least-regret", LeastRegret());
}

/// How far the load of decode swings: the mean absolute distance from its mean over a minute.
inline double amplitude(const std::vector<LoadSample>& samples) {
    auto sum = 0.0;
    auto count = 0;
    for (std::size_t i = 15; i + 15 < samples.size(); ++i, ++count) {
        auto mean = 0.0;
        for (std::size_t j = i - 15; j <= i + 15; ++j) mean += samples[j].decode / 31;
        sum += std::abs(samples[i].decode - mean);
    }
    return count == 0 ? 0 : sum / count;
}

inline void load_table(const Trace& trace, const std::string& svg) {
    title("load", "how far the decode pool's load swings at 2x, around its mean of a minute");
    auto drawing = std::string("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"620\">\n");
    auto base = 0.0;
    auto place = 0;
    for (const auto& [name, admission] :
         {std::pair<const char*, int>("early", 0), {"predictive", 1}, {"least-regret", 2}}) {
        auto samples = std::vector<LoadSample>();
        run_loaded(trace, loaded(2),
                   admission == 0   ? AnyAdmission(EarlyRejection())
                   : admission == 1 ? AnyAdmission(PredictiveRejection(50))
                                    : AnyAdmission(LeastRegret()),
                   &samples);
        const auto swing = amplitude(samples);
        if (base <= 0) base = swing;
        std::printf("%-14s %8.4f %8.3f\n", name, swing, swing / base);
        for (const auto decode : {false, true}) {
            drawing +=
                std::string("<polyline fill=\"none\" stroke=\"") + (decode ? "crimson" : "steelblue") + "\" points=\"";
            for (const auto& sample : samples)
                drawing +=
                    std::to_string(sample.seconds / 2) + ',' +
                    std::to_string(190 + 205 * place - 140 * std::min(1.3, decode ? sample.decode : sample.prefill)) +
                    ' ';
            drawing += "\"/>\n";
        }
        drawing += "<text x=\"5\" y=\"" + std::to_string(205 + 205 * place++) + "\">" + name +
                   ": prefill blue, decode red</text>\n";
    }
    if (svg.empty()) return;
    auto file = std::ofstream(svg);
    file << drawing << "</svg>\n";
    std::printf(file.flush() ? "drawn to %s\n" : "%s cannot be written\n", svg.c_str());
}

inline void pd_table(const Trace& trace) {
    title("pd", "16 instances as prefill and decode, share of requests within TTFT 30 s and TBT .2 s");
    constexpr double published[] = {77.7, 97.2, 99.1, 99.0, 99.2, 98.4, 86.1};
    std::printf("%-8s %11s %11s %10s\n", "", "1x, %", "2x, %", "published");
    for (std::size_t p = 5; p <= 11; ++p) {
        std::printf("%2zuP%-2zuD  ", p, 16 - p);
        for (const auto speed : {1., 2.}) {
            const auto m = run(trace, cluster(p, 16 - p, speed), "kvcache-centric");
            std::printf(" %11.2f", 100 * static_cast<double>(m.within_slo) / static_cast<double>(m.requests));
        }
        std::printf(" %10.1f\n", published[p - 5]);
    }
}

/// /// Sixteen nodes as 8P + 8D, as 10P + 6D, and coupled with chunks of several sizes.
inline void capacity_table(const Trace& trace) {
    title("capacity",
          "16 instances, share of requests whose TBT is at most 100 / 200 / 300 ms (mean of the longest tenth)");
    std::printf(
        "   coupled: 26.2 ms an iteration, .14 ms a sequence, .113 ms a token of prefill, at most 256 requests, 1.33M\n"
        "   tokens; neither the square of a prompt nor the context of decode is counted there, in its favour\n\n");
    std::printf("%-28s %22s %32s\n", "", "1x", "2x");
    const auto row = [&](const char* what, SimulatorConfig config) {
        std::printf("%-28s", what);
        for (const auto speed : {1., 2.}) {
            config.speed = speed;
            const auto m =
                run(trace, config, config.conductor.mode == ServingMode::coupled ? "least-loaded" : "kvcache-centric");
            std::printf("  %6.2f %6.2f %6.2f  TTFT %6.2f s", 100 * m.tbt.share_within(.1), 100 * m.tbt.share_within(.2),
                        100 * m.tbt.share_within(.3), m.ttft.mean());
        }
        std::printf("\n");
    };
    row("8P + 8D", cluster(8, 8));
    row("10P + 6D", cluster(10, 6));
    auto overlapped = cluster(10, 6);
    overlapped.conductor.cost.decode.load_bandwidth = 0;
    row("10P + 6D, loads overlapped", overlapped);
    for (const std::uint64_t chunk : {512, 2'048, 1'000'000}) {
        auto coupled = cluster(16, 0);
        coupled.conductor.mode = ServingMode::coupled;
        coupled.coupled = {.iteration = 26.2e-3,
                           .sequence = .14e-3,
                           .token = coupled.conductor.cost.prefill.linear / 1024,
                           .chunk = chunk,
                           .batch = 256,
                           .blocks = 1'330'000 / 512};
        row(chunk == 1'000'000 ? "coupled, whole prompts" : ("coupled, chunks of " + std::to_string(chunk)).c_str(),
            coupled);
    }
}

/// Four traps that routers fell into: each is run with and without it.
inline void traps_table(const Trace& trace) {
    title("traps", "mean TTFT with a trap by the same without, 8 prefill instances");
    std::printf("%-52s %8s %8s %8s\n", "", "without", "with", "ratio");
    const auto row = [](const char* what, double without, double with) {
        std::printf("%-52s %8.3f %8.3f %8.3f\n", what, without, with, with / without);
    };
    const auto ttft = [](const Trace& requests, const SimulatorConfig& config, std::string_view policy) {
        return run(requests, config, policy).ttft.mean();
    };
    auto apart = trace; // the head that all share is everybody's own
    for (std::size_t i = 0; i < apart.size(); ++i)
        if (!apart[i].hash_ids.empty()) apart[i].hash_ids[0] = (std::uint64_t{1} << 40) + apart[i].hash_ids.back();
    row("all share block 0: ours", ttft(apart, cluster(8, 8), "least-delay"),
        ttft(trace, cluster(8, 8), "least-delay"));
    auto one_key = [&](const Trace& requests) { return run(requests, cluster(8, 8), DualMap(1)).ttft.mean(); };
    row("  for comparison: dual-map by the first block", one_key(apart), one_key(trace));
    auto small = cluster(8, 8), told = cluster(8, 8);
    small.conductor.cache_blocks = told.conductor.cache_blocks = 1'000;
    told.staleness = told.conductor.remember = 60; // the index remembers what the caches have lost a minute ago
    row("the index remembers more than the caches: ours", ttft(trace, small, "least-delay"),
        ttft(trace, told, "least-delay"));
    row("  for comparison: overlap-load", ttft(trace, small, "overlap-load"), ttft(trace, told, "overlap-load"));
    const auto local = run(trace, cluster(8, 8), "local"), ours = run(trace, cluster(8, 8), "least-delay");
    row("balancing shortens cache life: 1 - reuse, ours by e2", 1 - run(trace, cluster(8, 8), "e2").reused_ratio(),
        1 - ours.reused_ratio());
    row("  for comparison: local by e2", 1 - run(trace, cluster(8, 8), "e2").reused_ratio(), 1 - local.reused_ratio());
}

/// A large cluster, long enough.
inline void scale_table(const Trace& trace, std::uint64_t requests) {
    title("scale", "1,000 instances (500P + 500D), the trace 80 times beside itself");
    auto many = Superposition(trace, 80, requests);
    const auto begin = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    const auto m = Sim(cluster(500, 500), LeastDelay(), {}, AdmitAll())
                       .run([&] { return many(); },
                            [&](const auto& so_far) {
                                std::fprintf(stderr, "\r%llu of %llu requests, %.0f s",
                                             static_cast<unsigned long long>(so_far.requests),
                                             static_cast<unsigned long long>(requests), seconds());
                            });
    auto status = std::ifstream("/proc/self/status");
    auto line = std::string(), peak = std::string("?");
    while (std::getline(status, line))
        if (line.starts_with("VmHWM:")) peak = line.substr(6);
    std::printf("\n%llu requests in %.1f s, %.1f us each; peak memory%s; mean TTFT %.3f s, reused %.4f\n",
                static_cast<unsigned long long>(m.completed), seconds(),
                seconds() * 1e6 / static_cast<double>(m.requests), peak.c_str(), m.ttft.mean(), m.reused_ratio());
}

} // namespace serve
