#pragma once

#include <mooncake/engine/traits.hpp>
#include <mooncake/store/embedded_master_config.hpp>
#include <mooncake/store/fwd.hpp>
#include <mooncake/store/master_link.hpp>
#include <mooncake/store/remote_master_config.hpp>

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
template <class Traits>
struct EmbeddedStoreTraits {
    using Engine = EmbeddedEngineTraits;
    using Master = EmbeddedMaster<Traits>;
};

} // namespace mooncake
