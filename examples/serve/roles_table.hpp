#pragma once

#include <mooncake/serving/phases.hpp>
#include <mooncake/serving/role/even_load.hpp>

#include "run.hpp"

#include <cstddef>
#include <cstdio>
#include <vector>

namespace serve {

template <RolePolicy R>
struct WithRoles : AnyTraits {
    using Prefill = LeastDelay;
    using Admission = AdmitAll;
    using Role = R;
};

/// Long prompts, long answers, long prompts.
inline Trace turning_load(double seconds, double times = 1) {
    const auto long_prompts =
        LoadPhase{.seconds = seconds, .requests = 5.2 * times, .input_tokens = 16'000, .output_tokens = 250};
    const auto long_answers =
        LoadPhase{.seconds = seconds, .requests = 36 * times, .input_tokens = 512, .output_tokens = 1'000};
    const LoadPhase phases[] = {long_prompts, long_answers, long_prompts};
    return generate_phases(phases);
}

/// Sixteen machines in each split that stays, and with roles that change.
inline void roles_table(const Trace& trace) {
    title("roles",
          "16 machines, share of requests within TTFT 10 s and TBT .1 s; a change takes 10 s after the last request");
    const auto config_of = [](std::size_t prefill, double speed) {
        auto config = cluster(16, 16, speed);
        config.conductor.role_prefill = prefill;
        config.conductor.ttft_slo = 10, config.conductor.tbt_slo = .1;
        config.conductor.cost.decode.load_bandwidth = 0;
        return config;
    };
    struct Load {
        const char* name;
        Trace requests;
        double speed;
    };
    for (const auto& [name, requests, speed] :
         {Load{"turns from long prompts to long answers and back, 10 min each", turning_load(600), 1},
          {"the same, 3 min each", turning_load(180), 1},
          {"5 min each at three quarters of the rate", turning_load(300, .75), 1},
          {"10 min each at half the rate", turning_load(600, .5), 1},
          {"the trace", trace, 1},
          {"the trace at 2x", trace, 2}}) {
        std::printf("%s\n", name);
        const auto share = [](const ServeMetrics& m) {
            return 100 * static_cast<double>(m.within_slo) / static_cast<double>(m.requests);
        };
        auto best = 0.0;
        for (std::size_t p = 2; p <= 14; ++p) {
            const auto in_time = share(Simulator<WithRoles<FixedRoles>>(config_of(p, speed)).run(requests));
            best = std::max(best, in_time);
            std::printf("  %zuP%zuD %.2f", p, 16 - p, in_time);
        }
        std::printf("\n");
        for (const std::size_t p : {4, 8, 12}) {
            const auto m = Simulator<WithRoles<EvenLoad<>>>(config_of(p, speed)).run(requests);
            std::printf("  even-load from %zuP%zuD: %.2f, best split %+.2f; %llu changes, mean TTFT %.2f s\n", p,
                        16 - p, share(m), share(m) - best, static_cast<unsigned long long>(m.role_changes),
                        m.ttft.mean());
        }
        std::fflush(stdout);
    }
}

} // namespace serve
