#pragma once

#include <mooncake/net/endpoint.hpp>
#include <mooncake/net/frame.hpp>

#include <chrono>

namespace mooncake {

struct LaneConfig {
    Endpoint peer = {};
    Hello hello = {};
    std::chrono::milliseconds connect_within{5'000}; ///< connection and hello together
    /// A server that takes and gives nothing for so long, although it was asked for a sign of life half way, is gone.
    std::chrono::milliseconds silence{3'000};
    bool check_frames = false; ///< seals frames both ways, where the server can: see net/seal.hpp
    FrameLimits limits = {};   ///< of what comes, and of what is sent: more is refused before it is on its way
};

} // namespace mooncake
