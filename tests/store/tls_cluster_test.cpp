// labels: io coroutine
// needs: tls
#include <mooncake/metadata/peer.hpp>
#include <mooncake/net/tls_tcp.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>
#include <mooncake/transport/tcp.hpp>

#include "net/certificates.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using namespace mooncake::test;

namespace {

struct TlsEngine : DefaultEngineTraits {
    using Transports = TransportSet<TcpTransport<TlsTcp>>;
    using Metadata = PeerMetadata<TlsTcp>;
};
struct TlsStore {
    using Engine = TlsEngine;
    using Master = RemoteMaster<TlsTcp>;
};
using Node = StoreNode<TlsEngine, TlsTcp>;
using Master = MasterServer<DefaultMasterTraits, TlsTcp>;

/// A master, nodes and a client in one process, every byte of which goes over TLS.
struct Cluster {
    Cluster() {
        auto config = Master::Config();
        config.stream = TlsTcp(files.member("master"));
        master = std::make_unique<Master>(runtime, std::move(config));
        master->start();
        for (const auto* const name : {"node-0", "node-1"}) {
            auto lends = Node::Config();
            lends.engine = engine(name);
            lends.engine.name = name;
            lends.master.rpc.server = master->endpoint();
            lends.master.stream = TlsTcp(files.member(std::string(name) + "-as-client"));
            lends.memory = {.bytes = 8 * MiB};
            nodes.push_back(std::make_unique<Node>(runtime, std::move(lends)));
            const auto started = runtime.run(nodes.back()->start());
            REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message()));
        }
        auto uses = Store<TlsStore>::Config();
        uses.engine = engine("client");
        uses.master.rpc.server = master->endpoint();
        uses.master.stream = TlsTcp(files.member("client-as-client"));
        store = std::make_unique<Store<TlsStore>>(runtime, std::move(uses));
    }
    ~Cluster() {
        runtime.run(store->close());
        for (auto& node : nodes) runtime.run(node->close());
        for (auto& each : metadata) runtime.run(each->close());
        runtime.run(master->close());
    }

    EngineConfig<TlsEngine> engine(const std::string& name) {
        const auto tls = TlsTcp(files.member(name));
        auto config = EngineConfig<TlsEngine>();
        config.metadata =
            metadata.emplace_back(std::make_shared<PeerMetadata<TlsTcp>>(runtime, PeerMetadataConfig(), tls));
        config.metadata->start();
        config.transport<TcpTransport<TlsTcp>>().stream = tls;
        return config;
    }

    ClusterFiles files;
    Runtime runtime{{.threads = 2}};
    std::unique_ptr<Master> master;
    std::vector<std::shared_ptr<PeerMetadata<TlsTcp>>> metadata;
    std::vector<std::unique_ptr<Node>> nodes;
    std::unique_ptr<Store<TlsStore>> store;
};

} // namespace

TEST_CASE("tls: a cluster whose master, nodes and clients show certificates") {
    auto c = Cluster();
    const auto value = std::vector<std::byte>(700'000, std::byte{5});
    const auto put = c.runtime.run(c.store->put("k", value, {.replicas = 2}));
    REQUIRE_MESSAGE(put.has_value(), (put ? "" : put.error().message()));
    CHECK(put->replicas == 2);
    const auto got = c.runtime.run(c.store->get("k"));
    REQUIRE(got.has_value());
    CHECK(*got == value);
    auto part = std::vector<std::byte>(100'000); // over a network a part is compared with the checksums of its chunks
    CHECK(c.runtime.run(c.store->get_range("k", 250'000, part)).has_value());
    CHECK(std::equal(part.begin(), part.end(), value.begin()));

    // Whoever has no certificate is nobody to the master.
    auto stranger = RpcClient<PlainTcp>(c.runtime.next_executor(), {.server = c.master->endpoint()});
    const auto answer = c.runtime.run(stranger.call(store::Get{}, 5s));
    CHECK_FALSE(answer.has_value());
    c.runtime.run(stranger.close());
    CHECK(c.runtime.run(c.store->get("k")).has_value());
}
