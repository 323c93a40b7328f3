#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/net/connection_config.hpp>
#include <mooncake/net/plain_tcp_interface.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mooncake {

template <class P>
struct BasicTcpTransportConfig {
    ListenConfig listen = {}; ///< where this process serves its segment
    std::vector<std::string> other_hosts =
        {}; ///< further addresses of this host, as of its other networks, under which
            ///< peers reach the same port: each is a path of its own; at most 15
    std::vector<std::string> from_hosts =
        {};             ///< IP addresses of this host that connections go out from: each of them to each
                        ///< of a peer's addresses is a path, up to 16; none: the kernel chooses by its
                        ///< routes, which is enough where the networks differ
    unsigned lanes = 2; ///< connections to each address of a peer, 1 … 64, on different threads
    std::uint64_t frame_bytes = 1 * MiB;             ///< most bytes in a frame; more go out as several, over all lanes
    std::chrono::milliseconds connect_within{3'000}; ///< connection and hello
    /// A connection over which nothing was asked for so long, or half as long again, is closed; the next request makes
    /// another. At least 10 ms.
    std::chrono::milliseconds idle{60'000};
    /// Connections to all peers together; at least 1. Beyond, one that nobody uses just now makes room for the next (SIEVE:
    /// the oldest that was not used again lately). While all of them are in use there are more, and nobody waits.
    std::size_t most_lanes = 1'024;
    /// Both ends look at every frame whether it came as it was sent, where the peer is not too old for that; a connection over
    /// which one was damaged ends, and its requests take the next. Costs a pass over the bytes at either end.
    bool check_frames = false;
    ConnectionConfig connection = {}; ///< limits towards peers that connect here
    P stream = {};                    ///< the network, and its security
};
using TcpTransportConfig = BasicTcpTransportConfig<PlainTcp>;

template <class P = PlainTcp>
class TcpTransport;

template <class P>
struct ConfigOf<TcpTransport<P>> {
    using Type = BasicTcpTransportConfig<P>;
};

} // namespace mooncake
