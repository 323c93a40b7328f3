#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/serving/cost_model.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace mooncake {

enum class ServingMode : std::uint8_t {
    disaggregated, ///< prefill and decode have instances of their own
    coupled,       ///< whoever prefills a request decodes it
};

enum class ServingState : std::uint8_t { up, down };

struct ConductorConfig {
    ServingMode mode = ServingMode::disaggregated;
    std::size_t prefill_instances = 8; ///< at least 1; where coupled: all instances
    std::size_t decode_instances = 8;  ///< at least 1 where disaggregated
    /// Above 0: instance i of both pools is one machine, which has one role at a time; so many begin as prefill, and the other
    /// ones decode. There are as many prefill as decode instances then, and more than this. 0: each has its pool for ever.
    std::size_t role_prefill = 0;
    CostModel cost{};
    std::uint64_t cache_blocks = 5'859;      ///< of each prefill instance; 1 TB of DRAM holds 3M tokens
    std::uint64_t decode_tokens = 1'330'000; ///< of KV cache that fit a decode instance
    std::uint64_t prefill_chunk = 2'048; ///< tokens after which a prefill may pause for one with a lesser key; 0: never
    double ttft_slo = 30;                ///< seconds; 0 promises nothing that can be kept
    double tbt_slo = .2;                 ///< seconds
    double remember =
        0; ///< seconds for which a finished prefill counts as cached where it ran, before events say so; 0: never
    std::size_t event_window = 64; ///< events of an instance that may wait for one that is missing
};

/// Errors: `invalid_argument`, naming the field.
[[nodiscard]] inline Result<void> validate(const ConductorConfig& config) {
    constexpr std::size_t most = 1'000'000;
    if (config.prefill_instances == 0 || config.prefill_instances > most)
        return Error(Errc::invalid_argument, "ConductorConfig::prefill_instances must be from 1 to a million");
    if ((config.mode == ServingMode::disaggregated && config.decode_instances == 0) || config.decode_instances > most)
        return Error(Errc::invalid_argument, "ConductorConfig::decode_instances must be from 1 to a million");
    if (config.role_prefill != 0 &&
        (config.mode == ServingMode::coupled || config.prefill_instances != config.decode_instances ||
         config.role_prefill >= config.prefill_instances))
        return Error(Errc::invalid_argument, "ConductorConfig::role_prefill must be below prefill_instances and "
                                             "decode_instances, which are equal, and the mode disaggregated");
    if (auto valid = validate(config.cost); !valid) return valid;
    if (!(config.ttft_slo >= 0 && std::isfinite(config.ttft_slo)))
        return Error(Errc::invalid_argument, "ConductorConfig::ttft_slo must be 0 or more seconds");
    if (!(config.tbt_slo >= 0 && std::isfinite(config.tbt_slo)))
        return Error(Errc::invalid_argument, "ConductorConfig::tbt_slo must be 0 or more seconds");
    if (!(config.remember >= 0 && std::isfinite(config.remember)))
        return Error(Errc::invalid_argument, "ConductorConfig::remember must be 0 or more seconds");
    return ok;
}

} // namespace mooncake
