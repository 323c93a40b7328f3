#include <mooncake/compiled_policies.hpp>

template class mooncake::Master<mooncake::DefaultMasterTraits>;
template class mooncake::MasterServer<>;
template class mooncake::StoreNode<>;
