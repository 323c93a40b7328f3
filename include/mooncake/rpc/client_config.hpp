#pragma once

#include <mooncake/health/backoff.hpp>
#include <mooncake/net/endpoint.hpp>
#include <mooncake/net/frame.hpp>

#include <chrono>

namespace mooncake {

struct RpcClientConfig {
    Endpoint server = {};
    std::chrono::milliseconds connect_within{5'000};
    BackoffConfig backoff = {}; ///< how soon a lost server is tried again; until then calls fail at once
    bool check_frames = false;  ///< see `TcpTransportConfig::check_frames`
    FrameLimits limits = {};
};

} // namespace mooncake
