#include <mooncake/mooncake.hpp>

template class mooncake::Store<mooncake::EmbeddedStoreTraits<>>;
