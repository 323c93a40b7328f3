#include <mooncake/compiled_policies.hpp>

template struct mooncake::store::detail::Checks<>;
template class mooncake::store::detail::LeaseTable<>;
template class mooncake::store::detail::FenceTable<>;
template class mooncake::store::detail::Prospect<>;
template class mooncake::store::detail::Replication<>;
template class mooncake::store::detail::ReplicaHandlers<>;
template struct mooncake::store::detail::BasicTenant<void>;
template class mooncake::store::detail::TenantTable<>;
template class mooncake::store::detail::TenantHandlers<>;
template class mooncake::store::detail::Endings<>;
template class mooncake::store::detail::PinHandlers<>;
template class mooncake::store::detail::SegmentTable<mooncake::OffsetAllocator, mooncake::PowerOfTwoChoices>;
template class mooncake::Master<mooncake::DefaultMasterTraits>;
template class mooncake::MasterServer<>;
template class mooncake::StoreNode<>;
