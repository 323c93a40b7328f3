#include <mooncake/compiled_policies.hpp>

template class mooncake::store::detail::Client<mooncake::EmbeddedEngineTraits>;
template class mooncake::Store<mooncake::EmbeddedStoreTraits<>>;
