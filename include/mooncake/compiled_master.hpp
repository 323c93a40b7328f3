#pragma once

/// `compiled.hpp`, for an `EmbeddedStore` whose master has parts of one's own (allocator, eviction, lease, placement): of it
/// only what depends on them is compiled where it is used.

#include <mooncake/compiled.hpp>
#include <mooncake/store/embedded_master.hpp>
#include <mooncake/store/store_bodies.hpp>

namespace mooncake {

extern template struct store::detail::Checks<>;
extern template class store::detail::LeaseTable<>;
extern template class store::detail::FenceTable<>;
extern template class store::detail::Prospect<>;
extern template class store::detail::Replication<>;
extern template class store::detail::ReplicaHandlers<>;
extern template struct store::detail::BasicTenant<void>;
extern template class store::detail::TenantTable<>;
extern template class store::detail::TenantHandlers<>;
extern template class store::detail::Endings<>;
extern template class store::detail::PinHandlers<>;
extern template class store::detail::SegmentTable<OffsetAllocator, PowerOfTwoChoices>;
extern template class store::detail::EmbeddedLink<>;
extern template std::unique_ptr<store::detail::MasterCalls>
    store::detail::calls_through(std::shared_ptr<store::detail::EmbeddedLink<>>);
extern template Task<void> store::detail::EmbeddedLink<>::attach(TransferEngine<EmbeddedEngineTraits>&);
extern template class Master<DefaultMasterTraits>;

} // namespace mooncake
