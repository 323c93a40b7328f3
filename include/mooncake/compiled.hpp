#pragma once

/// The umbrella for those who link `mooncake::compiled`: what the runtime and the ready-made engines, stores, nodes and
/// masters are to those who use them. Their insides were compiled there, and are neither read nor compiled again.
///
/// Many an "undefined reference" says that `mooncake::compiled` is not linked; one to a member of an engine or a store with a part
/// of one's own, that it wants `<mooncake/compiled_policies.hpp>` where it is used, which compiles it. Units with this header and units with the umbrella
/// go together in one program: both mean the same classes.

#include <mooncake/core/runtime_interface.hpp>
#include <mooncake/core/spawn_interface.hpp>
#include <mooncake/store/master/server_interface.hpp>
#include <mooncake/store/node_interface.hpp>
#include <mooncake/store/store_interface.hpp>

namespace mooncake {

extern template void core::detail::block_on<void>(const Executor&, Task<void>);
extern template Executor core::detail::serial<void>(Executor);
extern template void core::detail::launch<void>(const Executor&, asio::awaitable<void, Executor>,
                                                const asio::cancellation_slot&, core::detail::Over);
extern template class BasicRuntime<void>;
extern template class BasicSegment<DefaultEngineTraits::Transports>;
extern template class BasicSegment<EmbeddedEngineTraits::Transports>;
extern template class TransferEngine<DefaultEngineTraits>;
extern template class TransferEngine<EmbeddedEngineTraits>;
extern template class BasicStore<DefaultEngineTraits>;
extern template class BasicStore<EmbeddedEngineTraits>;
extern template class Store<EmbeddedStoreTraits<>>;
extern template class Store<ClusterStoreTraits>;
extern template class MasterServer<>;
extern template class StoreNode<>;

} // namespace mooncake
