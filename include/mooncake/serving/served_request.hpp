#pragma once

#include <mooncake/serving/prefill/concept.hpp>

#include <cstdint>
#include <vector>

namespace mooncake::serving::detail {

/// What a conductor keeps of a request that is being served.
struct ServedRequest {
    enum class Stage : std::uint8_t { waits, runs, left, decodes };

    InstanceId prefill = no_instance, decode = no_instance;
    Stage stage = Stage::waits;
    ServeClass priority = ServeClass::normal;
    double key = 0, seconds = 0;             // seconds: of prefill that is left, by prediction
    double began = 0, ran = 0, expected = 0; // ran: seconds; expected: all that was to run, as the instance said
    std::uint64_t tokens = 0, new_tokens = 0, blocks = 0;
    std::vector<BlockKey> keys{}; // where they are remembered
};

/// A prefill that finished, and counts as cached for a while.
struct FinishedPrefill {
    double until = 0;
    InstanceId instance = no_instance;
    std::vector<BlockKey> keys;
};

} // namespace mooncake::serving::detail
