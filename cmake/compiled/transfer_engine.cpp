#include <mooncake/compiled_policies.hpp>

template class mooncake::BasicSegment<mooncake::DefaultEngineTraits::Transports>;
template class mooncake::TransferEngine<mooncake::DefaultEngineTraits>;
