#pragma once

#include <mooncake/engine/traits.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/store/embedded_master.hpp>
#include <mooncake/store/remote_master.hpp>

namespace mooncake {

/// `T::Engine` are `EngineTraits`, `T::Master` is a `MasterLink`.
template <class T>
concept StoreTraits = EngineTraits<typename T::Engine> && MasterLink<typename T::Master>;

/// A store whose master serves a cluster. The eviction policy is the master's: there is none to set here.
struct ClusterStoreTraits {
    using Engine = DefaultEngineTraits;
    using Master = RemoteMaster<>;
};

/// An engine that never leaves its process.
struct EmbeddedEngineTraits {
    using Transports = TransportSet<LoopbackTransport>;
    using Metadata = MemoryMetadata;
};

/// A store that is all in this process.
template <MasterTraitsLike Traits = DefaultMasterTraits>
struct EmbeddedStoreTraits {
    using Engine = EmbeddedEngineTraits;
    using Master = EmbeddedMaster<Traits>;
};

template <StoreTraits Traits>
class Store;

/// Choose this when: one process is the whole cluster.
template <MasterTraitsLike Traits = DefaultMasterTraits>
using EmbeddedStore = Store<EmbeddedStoreTraits<Traits>>;

/// Choose this when: a master and nodes run elsewhere.
using ClusterStore = Store<ClusterStoreTraits>;

} // namespace mooncake
