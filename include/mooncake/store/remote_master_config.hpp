#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/net/plain_tcp_interface.hpp>
#include <mooncake/rpc/client_config.hpp>

#include <chrono>

namespace mooncake {

template <class P>
struct BasicRemoteMasterConfig {
    RpcClientConfig rpc = {};
    std::chrono::milliseconds answer_within{
        10'000};   ///< most a call whose deadline never passes may take; `WaitFor` excepted
    P stream = {}; ///< the network, and its security
};
using RemoteMasterConfig = BasicRemoteMasterConfig<PlainTcp>;

template <class P = PlainTcp>
class RemoteMaster;

template <class P>
struct ConfigOf<RemoteMaster<P>> {
    using Type = BasicRemoteMasterConfig<P>;
};

} // namespace mooncake
