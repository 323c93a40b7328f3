#include <mooncake/compiled_policies.hpp>

template class mooncake::store::detail::Client<mooncake::DefaultEngineTraits>;
template class mooncake::BasicStore<mooncake::DefaultEngineTraits>;
template class mooncake::Store<mooncake::ClusterStoreTraits>;
