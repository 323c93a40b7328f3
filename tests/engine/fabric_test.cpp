// labels: io coroutine
#include <mooncake/core/spawn.hpp>
#include <mooncake/testing/fabric_transport.hpp>

#include "pair.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <thread>

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

TEST_CASE("fabric: a device that lost its connections is connected anew, and used again") {
    auto hosts = Hosts<FabricTraits<TcpTransport<>>>();
    auto memory = std::vector<std::byte>(8 * MiB), got = std::vector<std::byte>(8 * MiB);
    const auto region = hosts.lend(memory);
    const auto segment = hosts.open();
    // Much at once: a path that was slow at first is tried again where that holds nothing up for long.
    const auto devices = [&](const auto& of) {
        auto batch = hosts.user->batch();
        for (auto i = 0; i < 16; ++i) batch.read(got, of, region->offset);
        auto used = std::uint32_t{0};
        for (const auto& report : hosts.runtime.run(batch.submit({.deadline = 20s})).value().requests)
            used |= report.devices;
        return used;
    };
    CHECK(devices(segment) == 0b111);
    for (const auto& endpoint : segment.record().endpoints)
        if (endpoint.protocol == "fabric" && endpoint.description.ends_with("-1"))
            testing::detail::Fabric::instance().find(endpoint.description)->disconnect();
    auto used = std::uint32_t{0};
    for (const auto until = Deadline(20s); (used & 0b010) == 0 && !until.passed();) used = devices(segment);
    CHECK((used & 0b010) != 0);
}

TEST_CASE("fabric: a region whose registration is cancelled is its caller's or nobody's, and one that is returned is "
          "nobody's") {
    struct Slow : MemoryMetadata {
        using MemoryMetadata::compare_and_swap;
        Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value,
                                             Deadline deadline) {
            while (held) {
                auto pause = Event();
                (void)co_await pause.wait(Deadline(1ms), Interrupt::no);
            }
            co_return co_await MemoryMetadata::compare_and_swap(std::move(key), version, std::move(value), deadline);
        }
        std::atomic<bool> held = false;
    };
    struct SlowTraits : FabricTraits<TcpTransport<>> {
        using Metadata = Slow;
    };
    auto runtime = testing::OrderedRuntime({.threads = 2});
    const auto metadata = std::make_shared<Slow>();
    auto owner = TransferEngine<SlowTraits>(runtime, {.name = "owner", .metadata = metadata});
    auto memory = std::vector<std::byte>(4 * MiB);
    const auto page = [&](std::size_t i) { return MutableBytes(memory).subspan(i * MiB, 1 * MiB); };
    auto kept = runtime.run(owner.register_memory(page(0), Rights::read_write)).value();
    const auto segment = runtime.run(owner.open("owner", 5s)).value();
    const auto device = testing::detail::Fabric::instance().find(segment.record().endpoints.front().description);
    REQUIRE(device != nullptr);
    const auto of_one = device->size();

    // While one is being written, another waits for its turn and is cancelled: by who started it without the means of this
    // library, so that what waits throws.
    const auto cancelled_behind_a_write = [&](auto task) {
        metadata->held = true;
        auto first = spawn(runtime.executor(), owner.register_memory(page(2), Rights::read), asio::use_future);
        auto cancel = asio::cancellation_signal();
        auto over = std::promise<bool>(); // whether it was done all the same
        auto end = [&](const std::exception_ptr& thrown, const auto& result) {
            over.set_value(!thrown && result.has_value());
        };
        auto token = asio::bind_cancellation_slot(cancel.slot(), std::move(end));
        asio::co_spawn(runtime.executor(), std::move(task), std::move(token));
        std::this_thread::sleep_for(20ms);
        asio::post(runtime.executor(), [&] { cancel.emit(asio::cancellation_type::terminal); });
        std::this_thread::sleep_for(20ms);
        metadata->held = false;
        const auto done = over.get_future().get();
        auto region = first.get();
        REQUIRE(region.has_value());
        CHECK(runtime.run(owner.unregister(std::move(*region))).has_value());
        return done;
    };
    const auto regions = [&] { return runtime.run(owner.open("owner", 5s)).value().record().buffers.size(); };
    const auto expected = cancelled_behind_a_write(owner.register_memory(page(1), Rights::read_write)) ? 2U : 1U;
    CHECK(regions() == expected);
    CHECK(device->size() == expected * of_one);
    (void)cancelled_behind_a_write(owner.unregister(std::move(kept)));
    CHECK(regions() == expected - 1);
    CHECK(device->size() == (expected - 1) * of_one);
    runtime.run(owner.close());
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
