#pragma once

#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/testing/transport_pair.hpp>
#include <mooncake/transport/faulty.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::test {

using namespace std::chrono_literals;

/// All three ways, each of which can be made to fail.
struct FaultyTraits : DefaultEngineTraits {
    using Loopback = FaultyTransport<LoopbackTransport>;
    using Shm = FaultyTransport<ShmTransport>;
    using Tcp = FaultyTransport<TcpTransport<>>;
    using Transports = TransportSet<Loopback, Shm, Tcp>;
    using Metadata = MemoryMetadata;
};
using Engine = TransferEngine<FaultyTraits>;

struct ShmOnlyTraits : DefaultEngineTraits {
    using Transports = TransportSet<ShmTransport>;
    using Metadata = MemoryMetadata;
};

/// Two engines in one process, and what makes their transports fail.
struct EnginePair {
    EnginePair() : owner(runtime, config("owner")), user(runtime, config("user")) {}
    ~EnginePair() {
        for (auto* engine : {&user, &owner}) runtime.run(engine->close());
    }

    Engine::Config config(std::string name) {
        auto made = Engine::Config{.name = std::move(name), .metadata = metadata};
        std::get<0>(made.transports).control = loopback;
        std::get<1>(made.transports).control = shm;
        std::get<2>(made.transports).control = tcp;
        return made;
    }
    RegionPin arena(std::uint64_t bytes, Rights rights = Rights::read_write,
                    KeySharing sharing = KeySharing::in_record) {
        auto made = Arena::create({.bytes = bytes, .pages = PageKind::plain, .prefault_threads = 1});
        REQUIRE(made.has_value());
        auto region = runtime.run(owner.register_arena(*made, rights, sharing));
        REQUIRE(region.has_value());
        return *region;
    }
    Engine::Segment open() {
        auto segment = runtime.run(user.open("owner", 10s));
        REQUIRE(segment.has_value());
        return *segment;
    }
    static FaultPlan failing() { return {.fail_from_nth = 1}; }

    testing::OrderedRuntime runtime{{.threads = 3}};
    std::shared_ptr<MemoryMetadata> metadata = std::make_shared<MemoryMetadata>();
    FaultControl loopback, shm, tcp;
    Engine owner, user;
};

} // namespace mooncake::test
