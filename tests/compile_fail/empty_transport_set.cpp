// expect: an engine needs at least one transport
#include <mooncake/engine/traits.hpp>

auto size = mooncake::TransportSet<>::size;
