#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/clock.hpp>

#include <chrono>
#include <cstdint>

namespace mooncake {

/// How a request is spread over several paths to a segment.
struct SpreadConfig {
    /// Bytes are handed to a path in pieces that take about so long; above 0.
    Duration chunk_time = std::chrono::milliseconds{4};
    std::uint64_t least_chunk = 64 * KiB; ///< but in no smaller ones than this; above 0
    /// A piece may take twice what its path was expected to need, and this, before another path gets it.
    Duration slack = std::chrono::milliseconds{30};
    /// A piece that finds out whether a path is back may take so long.
    Duration probe = std::chrono::milliseconds{100};
};

} // namespace mooncake
