#pragma once

/// The umbrella for those who link `mooncake::compiled`: what the runtime and the ready-made engines, stores, nodes and
/// masters are to those who use them. Their insides were compiled there, and are neither read nor compiled again.
///
/// An engine or a store with a part of one's own is compiled where it is used: include `<mooncake/compiled_policies.hpp>` for
/// it; "undefined reference" to a member of it says that this was forgotten. Units with this header and units with the umbrella
/// go together in one program: both mean the same classes.

#include <mooncake/core/runtime_interface.hpp>
#include <mooncake/core/spawn_interface.hpp>
#include <mooncake/store/master/server_interface.hpp>
#include <mooncake/store/node_interface.hpp>
#include <mooncake/store/store_interface.hpp>

namespace mooncake {

extern template void core::detail::block_on<void>(const Executor&, Task<void>);
extern template Executor core::detail::serial<void>(Executor);
extern template class BasicRuntime<void>;
extern template class BasicSegment<DefaultEngineTraits::Transports>;
extern template class BasicSegment<EmbeddedEngineTraits::Transports>;
extern template class TransferEngine<DefaultEngineTraits>;
extern template class TransferEngine<EmbeddedEngineTraits>;
extern template class Store<EmbeddedStoreTraits<>>;
extern template class Store<ClusterStoreTraits>;
extern template class MasterServer<>;
extern template class StoreNode<>;

} // namespace mooncake
