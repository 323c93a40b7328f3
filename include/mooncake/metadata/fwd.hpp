#pragma once

#include <mooncake/core/clock.hpp>

namespace mooncake {

struct PlainTcp;

template <class P = PlainTcp>
class PeerMetadata;

template <Clock C = SteadyClock>
class BasicMemoryMetadata;
using MemoryMetadata = BasicMemoryMetadata<>;

} // namespace mooncake
