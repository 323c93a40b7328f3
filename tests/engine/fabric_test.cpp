// labels: io coroutine
#include <mooncake/testing/fabric_transport.hpp>

#include "pair.hpp"

using namespace mooncake;
using namespace mooncake::test;
using testing::FabricTransport;

namespace {

/// What a host with RDMA and a plain network would have; in one process only tcp, or loopback, carries handshakes.
template <class... Carriers>
struct FabricTraits : DefaultEngineTraits {
    using Transports = TransportSet<FabricTransport, Carriers...>;
    using Metadata = MemoryMetadata;
};

template <class Traits>
struct Hosts {
    using Engine = TransferEngine<Traits>;

    explicit Hosts(unsigned devices = 3) {
        auto owners = typename Engine::Config{.name = "owner", .metadata = metadata};
        owners.template transport<FabricTransport>().devices = devices;
        owners.template transport<FabricTransport>().most_bytes = 8 * MiB;
        owner = std::make_unique<Engine>(runtime, owners);
        user = std::make_unique<Engine>(runtime, typename Engine::Config{.name = "user", .metadata = metadata});
    }
    ~Hosts() {
        for (auto* engine : {user.get(), owner.get()}) runtime.run(engine->close());
    }

    RegionPin lend(MutableBytes memory, Rights rights = Rights::read_write,
                   KeySharing sharing = KeySharing::in_record) {
        auto region = runtime.run(owner->register_memory(memory, rights, sharing));
        REQUIRE(region.has_value());
        return *region;
    }
    typename Engine::Segment open() { return runtime.run(user->open("owner", 10s)).value(); }

    testing::OrderedRuntime runtime{{.threads = 3}};
    std::shared_ptr<MemoryMetadata> metadata = std::make_shared<MemoryMetadata>();
    std::unique_ptr<Engine> owner, user;
};

template <class... Carriers>
void moves_over_all_devices() {
    auto hosts = Hosts<FabricTraits<Carriers...>>();
    auto memory = std::vector<std::byte>(8 * MiB), got = std::vector<std::byte>(8 * MiB);
    testing::fill(memory, 1);
    const auto region = hosts.lend(memory);
    const auto segment = hosts.open();
    const auto read = hosts.runtime.run(hosts.user->read(got, segment, region->offset, {.deadline = 20s}));
    REQUIRE(read.has_value());
    CHECK(read->transport == "fabric");
    CHECK(read->devices == 0b111); // nothing was known of any: each was given a piece
    CHECK(testing::same(got, memory));
    testing::fill(got, 2);
    CHECK(hosts.runtime.run(hosts.user->write(got, segment, region->offset, {.deadline = 20s})).has_value());
    CHECK(testing::same(got, memory));
}

} // namespace

TEST_CASE(
    "fabric: a transport that registers, handshakes and has several devices moves bytes; tcp carries its handshakes") {
    moves_over_all_devices<TcpTransport<>>();
}
TEST_CASE("fabric: loopback carries its handshakes") { moves_over_all_devices<LoopbackTransport>(); }

TEST_CASE("fabric: who does not show a key gets none of the device's") {
    auto hosts = Hosts<FabricTraits<TcpTransport<>>>();
    auto memory = std::vector<std::byte>(1 * MiB), got = std::vector<std::byte>(1000);
    const auto region = hosts.lend(memory, Rights::read_write, KeySharing::secret);
    const auto readable = hosts.lend(memory, Rights::read);
    const auto segment = hosts.open();
    CHECK(hosts.runtime.run(hosts.user->read(got, segment, region->offset)).error() == Errc::access_denied);
    CHECK(hosts.runtime.run(hosts.user->write(got, segment, readable->offset)).error() == Errc::access_denied);
    CHECK(hosts.runtime.run(hosts.user->read(got, segment, readable->offset)).has_value());
    auto batch = hosts.user->batch();
    batch.read(MutableBytes(got), segment, region->offset, region->keys.read);
    batch.write(ConstBytes(got), segment, region->offset, region->keys.write);
    batch.write(ConstBytes(got), segment, region->offset, region->keys.write + 1);
    const auto report = hosts.runtime.run(batch.submit({.deadline = 20s})).value();
    CHECK(report.requests[0].outcome == Errc::ok);
    CHECK(report.requests[1].outcome == Errc::ok);
    CHECK(report.requests[2].outcome == Errc::access_denied);
}

TEST_CASE("fabric: what is taken back the devices do not know any more, and what they cannot take is not registered") {
    auto hosts = Hosts<FabricTraits<TcpTransport<>>>(1);
    auto memory = std::vector<std::byte>(5 * MiB), got = std::vector<std::byte>(1000);
    auto region = hosts.lend(memory);
    const auto offset = region->offset;
    const auto segment = hosts.open();
    CHECK(hosts.runtime.run(hosts.user->read(got, segment, offset)).has_value());
    const auto refused = hosts.runtime.run(hosts.owner->register_memory(memory, Rights::read));
    CHECK(refused.error() == Errc::out_of_memory);
    CHECK(refused.error().message().find("the devices of fabric") != std::string::npos);
    CHECK(hosts.open().record().buffers.size() == 1); // it is not in the record either
    CHECK(hosts.runtime.run(hosts.owner->unregister(std::move(region))).has_value());
    CHECK(hosts.runtime.run(hosts.user->read(got, segment, offset)).error() == Errc::out_of_range);
    const auto again = hosts.lend(memory); // there is room for it now
    CHECK(hosts.runtime.run(hosts.user->read(got, hosts.open(), again->offset)).has_value());
}

TEST_CASE("fabric: an owner that is gone is a failure of the path, and his successor is found") {
    auto hosts = Hosts<FabricTraits<TcpTransport<>>>();
    auto memory = std::vector<std::byte>(1 * MiB), got = std::vector<std::byte>(1000);
    const auto region = hosts.lend(memory);
    const auto segment = hosts.open();
    CHECK(hosts.runtime.run(hosts.user->read(got, segment, region->offset)).has_value());
    hosts.runtime.run(hosts.owner->close());
    const auto gone = hosts.runtime.run(hosts.user->read(got, segment, region->offset, {.deadline = 3s}));
    CHECK_FALSE(gone.has_value());
    hosts.owner = std::make_unique<TransferEngine<FabricTraits<TcpTransport<>>>>(
        hosts.runtime,
        TransferEngine<FabricTraits<TcpTransport<>>>::Config{.name = "owner", .metadata = hosts.metadata});
    const auto next = hosts.lend(memory);
    const auto found = hosts.runtime.run(hosts.user->read(got, hosts.open(), next->offset)).value();
    CHECK(found.transport == "fabric");
}
