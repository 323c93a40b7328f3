#include <mooncake/compiled_policies.hpp>

template class mooncake::store::detail::LeaseTable<>;
template class mooncake::store::detail::FenceTable<>;
template class mooncake::store::detail::Prospect<>;
template class mooncake::store::detail::SegmentTable<mooncake::OffsetAllocator, mooncake::PowerOfTwoChoices>;
template class mooncake::Master<mooncake::DefaultMasterTraits>;
template class mooncake::MasterServer<>;
template class mooncake::StoreNode<>;
