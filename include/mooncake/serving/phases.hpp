#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/trace.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace mooncake {

/// A time in which requests of one kind come, at random moments.
struct LoadPhase {
    double seconds = 0;
    double requests = 1;             ///< a second, mean; above 0
    std::uint64_t input_tokens = 1;  ///< mean; at least 1
    std::uint64_t output_tokens = 1; ///< mean
};

/// One phase after the other. Lengths are from half of the mean to one and a half; no two requests share a block. The same
/// phases and seed give the same requests.
[[nodiscard]] inline std::vector<TraceRequest> generate_phases(std::span<const LoadPhase> phases,
                                                               std::uint64_t seed = 1) {
    auto random = SplitMix64(seed);
    auto trace = std::vector<TraceRequest>();
    auto begins = 0.0;
    auto id = std::uint64_t{0};
    for (const auto& phase : phases) {
        const auto pause = [&] { return -std::log(1 - random.uniform()) / phase.requests; };
        const auto length = [&](std::uint64_t mean) {
            return static_cast<std::uint64_t>(static_cast<double>(mean) * (.5 + random.uniform()));
        };
        for (auto at = pause(); at < phase.seconds && phase.requests > 0; at += pause()) {
            const auto input = std::max<std::uint64_t>(1, length(phase.input_tokens));
            auto& one =
                trace.emplace_back(TraceRequest{.timestamp_ms = static_cast<std::uint64_t>((begins + at) * 1000),
                                                .input_length = input,
                                                .output_length = length(phase.output_tokens)});
            for (auto left = blocks_of(input); left != 0; --left) one.hash_ids.push_back(++id);
        }
        begins += std::max(0.0, phase.seconds);
    }
    return trace;
}

} // namespace mooncake
