#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/net/frame.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mooncake {

struct ConnectionConfig {
    FrameLimits limits = {};
    std::chrono::milliseconds hello_within{5'000}; ///< a peer that says nothing is gone after this
    /// A frame that has begun comes in at most this, and 1 s more for each MiB; a peer that takes nothing of a reply for so
    /// long is gone.
    std::chrono::milliseconds stall{30'000};
    std::uint64_t most_request_bytes =
        16 * MiB; ///< of messages of requests that are being served, above which no more are read
    std::uint64_t most_reply_bytes = 256 * MiB; ///< queued replies above which no more requests are read
    std::size_t most_exchanges = 4096;          ///< the same for requests that are being served
};

} // namespace mooncake
