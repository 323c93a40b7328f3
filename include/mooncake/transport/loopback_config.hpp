#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/memory/copier_fwd.hpp>

namespace mooncake {

struct LoopbackTransportConfig {};

template <class C = AutoCopier>
class BasicLoopbackTransport;
using LoopbackTransport = BasicLoopbackTransport<>;

template <class C>
struct ConfigOf<BasicLoopbackTransport<C>> {
    using Type = LoopbackTransportConfig;
};

} // namespace mooncake
