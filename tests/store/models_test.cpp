#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include <doctest/doctest.h>

// The models are held against their concepts here, not in their headers: instantiating them all costs every user time.
namespace mooncake {
static_assert(StreamPolicy<PlainTcp>);
static_assert(MappingTransport<LoopbackTransport>);
static_assert(MappingTransport<ShmTransport>);
static_assert(Transport<TcpTransport<>>);
static_assert(!MappingTransport<TcpTransport<>>);
static_assert(MetadataBackend<MemoryMetadata>);
static_assert(MetadataBackend<PeerMetadata<>>);
static_assert(EngineTraits<DefaultEngineTraits>);
static_assert(MasterLink<EmbeddedMaster<>>);
static_assert(MasterLink<RemoteMaster<>>);
static_assert(StoreTraits<ClusterStoreTraits>);
static_assert(StoreTraits<EmbeddedStoreTraits<>>);

struct NoEngine {
    using Master = RemoteMaster<>;
};
struct NoMaster {
    using Engine = DefaultEngineTraits;
};
struct WrongMaster : NoMaster {
    using Master = mooncake::Master<>;
};
static_assert(!StoreTraits<NoEngine>);
static_assert(!StoreTraits<NoMaster>);
static_assert(!StoreTraits<WrongMaster>);
} // namespace mooncake

TEST_CASE("models: the embedded master answers without a round trip, the remote one does not") {
    CHECK(mooncake::EmbeddedMaster<>::in_process);
    CHECK_FALSE(mooncake::RemoteMaster<>::in_process);
}
