#include <mooncake/mooncake.hpp>

template class mooncake::TransferEngine<mooncake::EmbeddedEngineTraits>;
