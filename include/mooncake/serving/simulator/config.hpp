#pragma once

#include <mooncake/serving/conductor_config.hpp>
#include <mooncake/serving/simulator/faults.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace mooncake {

/// An instance that prefills and decodes in one loop of iterations, each of them one chunk of prefill and a token for each
/// sequence that decodes.
struct CoupledCost {
    double iteration = 8e-3;      ///< seconds
    double sequence = .25e-3;     ///< seconds for each that decodes
    double token = .05e-3;        ///< seconds for each token of prefill
    std::uint64_t chunk = 512;    ///< tokens of prefill in an iteration; at least 1
    std::uint32_t batch = 64;     ///< requests at a time; at least 1
    std::uint64_t blocks = 1'024; ///< of memory, for running requests and for what is cached
};

struct SimulatorConfig {
    ConductorConfig conductor{}; ///< its cost model is that of the instances, too, where disaggregated
    CoupledCost coupled{};       ///< where coupled
    double speed = 1;            ///< of the trace: 2 replays it in half of its time; above 0
    double answer_room = .05;    ///< share of decode memory that the conductor leaves to answers; 0 to below 1
    double staleness = 0;        ///< seconds until the conductor hears what an instance stored or evicted
    std::array<double, 3> shares{0, 1, 0}; ///< of requests by class: top, normal, low; drawn by seed
    std::uint64_t seed = 1;
    std::vector<InstanceFault> faults{}; ///< who is down or slow, and when; see `random_faults`
    double switch_seconds = 10; ///< that a machine is of no use between two roles, beside what it has to finish
    std::uint32_t retries = 3;  ///< how often a request begins again whose instance went; after that it has failed
};

/// Errors: `invalid_argument`, naming the field.
[[nodiscard]] inline Result<void> validate(const SimulatorConfig& config) {
    if (auto valid = validate(config.conductor); !valid) return valid;
    const auto bad = [](double value) { return !(value >= 0 && std::isfinite(value)); };
    if (bad(config.speed) || config.speed <= 0)
        return Error(Errc::invalid_argument, "SimulatorConfig::speed must be above 0");
    if (bad(config.staleness))
        return Error(Errc::invalid_argument, "SimulatorConfig::staleness must be 0 or more seconds");
    if (!(config.answer_room >= 0 && config.answer_room < 1))
        return Error(Errc::invalid_argument, "SimulatorConfig::answer_room must be at least 0 and below 1");
    auto sum = 0.0;
    for (const auto share : config.shares) sum += bad(share) ? -1e9 : share;
    if (!(sum > 0)) return Error(Errc::invalid_argument, "SimulatorConfig::shares must be 0 or more, and one above 0");
    if (bad(config.switch_seconds))
        return Error(Errc::invalid_argument, "SimulatorConfig::switch_seconds must be 0 or more");
    if (config.conductor.role_prefill != 0 && !config.faults.empty())
        return Error(Errc::invalid_argument, "SimulatorConfig::faults must be empty where machines change roles");
    for (const auto& fault : config.faults) {
        if (bad(fault.from) || !(fault.until > fault.from))
            return Error(Errc::invalid_argument,
                         "SimulatorConfig::faults: one must begin at 0 or later, and end after");
        if (fault.slower != 0 && !(fault.slower >= 1 && std::isfinite(fault.slower)))
            return Error(Errc::invalid_argument,
                         "SimulatorConfig::faults: slower must be 0, which is down, or a factor of at least 1");
    }
    const auto& coupled = config.coupled;
    if (bad(coupled.iteration) || bad(coupled.sequence) || bad(coupled.token) || coupled.iteration + coupled.token <= 0)
        return Error(Errc::invalid_argument, "SimulatorConfig::coupled: an iteration has to take some time");
    if (coupled.chunk == 0 || coupled.batch == 0 || coupled.blocks == 0)
        return Error(Errc::invalid_argument, "SimulatorConfig::coupled: chunk, batch and blocks must be at least 1");
    return ok;
}

} // namespace mooncake
