#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/net/connection_config.hpp>
#include <mooncake/net/plain_tcp_interface.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mooncake {

template <class P>
struct BasicTcpTransportConfig {
    ListenConfig listen = {}; ///< where this process serves its segment
    std::vector<std::string> other_hosts =
        {};                              ///< further addresses of this host, as of its other networks, under which
                                         ///< peers reach the same port: each is a path of its own; at most 15
    unsigned lanes = 2;                  ///< connections to each address of a peer, 1 … 64, on different threads
    std::uint64_t frame_bytes = 1 * MiB; ///< most bytes in a frame; more go out as several, over all lanes
    std::chrono::milliseconds connect_within{3'000}; ///< connection and hello
    ConnectionConfig connection = {};                ///< limits towards peers that connect here
    P stream = {};                                   ///< the network, and its security
};
using TcpTransportConfig = BasicTcpTransportConfig<PlainTcp>;

template <class P = PlainTcp>
class TcpTransport;

template <class P>
struct ConfigOf<TcpTransport<P>> {
    using Type = BasicTcpTransportConfig<P>;
};

} // namespace mooncake
