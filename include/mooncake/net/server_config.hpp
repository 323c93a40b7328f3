#pragma once

#include <mooncake/core/log.hpp>
#include <mooncake/net/connection_config.hpp>
#include <mooncake/net/endpoint.hpp>

#include <cstddef>
#include <cstdint>

namespace mooncake {

/// The limits are a server's own, so that a flood at one port takes nothing from another; a process has the sum of its servers'.
struct ServerConfig {
    ListenConfig listen = {};
    std::size_t most_connections =
        4096; ///< beyond, the one that is idle for longest makes room, or a new one is closed at once
    std::size_t most_greeting = 128; ///< that have yet to say what they want: beyond, the oldest of them makes room
    std::size_t most_of_a_peer =
        2048; ///< connections from one address: beyond, the one of it that is idle for longest makes room
    std::uint64_t most_message_bytes = 16 * MiB; ///< of messages that come in or are being served, of all connections
    ConnectionConfig connection = {};
    Log log = {};
};

} // namespace mooncake
