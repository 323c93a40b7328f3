#pragma once

#include <mooncake/serving/simulator/simulator.hpp>
#include <mooncake/serving/superposition.hpp>

#include "options.hpp"

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serve {

struct AnyTraits : DefaultConductorTraits {
    using Prefill = AnyPrefill;
    using Decode = LeastTbt;
    using Admission = AnyAdmission;
};
using Sim = Simulator<AnyTraits>;
using Trace = std::vector<TraceRequest>;

inline ServeMetrics run(const Trace& trace, const SimulatorConfig& config, AnyPrefill policy,
                        AnyAdmission admission = AdmitAll()) {
    return Sim(config, std::move(policy), {}, std::move(admission)).run(trace);
}
inline ServeMetrics run(const Trace& trace, const SimulatorConfig& config, std::string_view policy) {
    return run(trace, config, *make_prefill_policy(policy));
}

/// So many instances of the reference's node, with the promises of the paper.
inline SimulatorConfig cluster(std::size_t prefill, std::size_t decode, double speed = 1) {
    auto config = SimulatorConfig();
    config.conductor.prefill_instances = prefill;
    config.conductor.decode_instances = decode;
    config.speed = speed;
    return config;
}

inline void title(const char* name, const char* what) {
    std::printf("\n## %s: %s\n   alone: mooncake_serve_sim --trace FILE --table %s\n\n", name, what, name);
}

/// The published rules that ours is compared with.
inline const std::vector<std::string_view>& others() {
    static const auto names = std::vector<std::string_view>{"random",
                                                            "round-robin",
                                                            "least-loaded",
                                                            "power-of-two",
                                                            "local",
                                                            "kvcache-centric",
                                                            "longest-prefix",
                                                            "overlap-load",
                                                            "threshold-switch",
                                                            "fixed-profile",
                                                            "lmetric",
                                                            "dual-map",
                                                            "e2"};
    return names;
}

} // namespace serve
