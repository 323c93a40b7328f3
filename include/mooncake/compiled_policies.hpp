#pragma once

/// `compiled.hpp`, for parts of one's own, of whatever kind: an engine, a store or a master that has one is compiled where it is
/// used, and of what goes into it only what depends on that part. For those of an `EmbeddedStore`'s master
/// `<mooncake/compiled_master.hpp>` is enough, and reads less.

#include <mooncake/compiled_master.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

namespace mooncake {

extern template class RpcClient<PlainTcp>;
extern template class Server<PlainTcp>;
extern template class PeerMetadata<PlainTcp>;
extern template class BasicMemoryMetadata<SteadyClock>;
extern template class BasicLoopbackTransport<AutoCopier>;
extern template class BasicShmTransport<AutoCopier>;
extern template class TcpTransport<PlainTcp>;
extern template class RemoteMaster<PlainTcp>;
extern template class store::detail::Client<DefaultEngineTraits>;
extern template class store::detail::Client<EmbeddedEngineTraits>;

} // namespace mooncake
