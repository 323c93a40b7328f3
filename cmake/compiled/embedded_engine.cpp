#include <mooncake/compiled_policies.hpp>

template class mooncake::BasicSegment<mooncake::EmbeddedEngineTraits::Transports>;
template class mooncake::TransferEngine<mooncake::EmbeddedEngineTraits>;
