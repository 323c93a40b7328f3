#pragma once

#include <mooncake/serving/admission/concept.hpp>
#include <mooncake/serving/conductor_config.hpp>

namespace mooncake {

/// The load of both pools at one time, as shares of what was promised.
struct LoadSample {
    double seconds = 0;
    double prefill = 0; ///< mean wait for a prefill instance by the TTFT promised
    double decode = 0;  ///< mean iteration by the TBT promised
};

/// The load at `now`, of a conductor's view.
[[nodiscard]] inline LoadSample load_of(const ClusterView& view, const ConductorConfig& config, double now) noexcept {
    auto sample = LoadSample{.seconds = now};
    for (const auto& one : view.prefill)
        sample.prefill += (one.free_at(now) - now) / config.ttft_slo / static_cast<double>(view.prefill.size());
    for (const auto& one : view.decode)
        sample.decode += view.cost->decode.step(one.sequences, one.tokens) / config.tbt_slo /
                         static_cast<double>(view.decode.size());
    return sample;
}

} // namespace mooncake
