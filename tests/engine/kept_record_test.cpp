// labels: io
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/http.hpp>
#include <mooncake/metadata/http_server.hpp>
#include <mooncake/metadata/memory.hpp>

#include "support/sanitized.hpp"

#include <doctest/doctest.h>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

struct Traits : DefaultEngineTraits {
    using Metadata = HttpMetadata;
    using Transports = TransportSet<TcpTransport<>>;
};
using Engine = TransferEngine<Traits>;

Engine::Config config(std::string name, std::shared_ptr<HttpMetadata> metadata) {
    auto made = Engine::Config{.name = std::move(name), .metadata = std::move(metadata)};
    made.record_ttl = 600ms;
    return made;
}

std::unique_ptr<HttpMetadataServer<>> serve(Runtime& runtime, Endpoint at = {.host = "127.0.0.1", .port = 0}) {
    auto config = HttpMetadataServerConfig{.listen = {.bind = std::move(at)}};
    auto server = std::make_unique<HttpMetadataServer<>>(runtime, std::move(config));
    server->start();
    return server;
}

/// Whether that comes true within 10 s.
template <class Condition>
bool soon(Condition condition) {
    for (const auto until = Deadline(10s); !until.passed(); std::this_thread::sleep_for(20ms))
        if (condition()) return true;
    return false;
}

/// A server that outlives engines, whose time the test has in hand, and whose answers it can take away.
struct Shared : BasicMemoryMetadata<ManualClock> {
    static constexpr auto capabilities =
        MetadataCapabilities{.compare_and_swap = true, .list = true, .watch = true, .lease = true, .outlives = true};

    explicit Shared(ManualClock hand) : BasicMemoryMetadata(hand) {}

    using BasicMemoryMetadata::compare_and_swap;
    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, std::uint64_t lease,
                                         Deadline deadline) {
        auto done =
            co_await BasicMemoryMetadata::compare_and_swap(std::move(key), version, std::move(value), lease, deadline);
        if (lost.fetch_sub(1) > 0) co_return Errc::connection_lost;
        co_return done;
    }
    std::atomic<int> lost = 0; ///< answers that do not arrive, of what was done all the same
};
struct SharedTraits : Traits {
    using Metadata = Shared;
};

} // namespace

TEST_CASE("kept record: an owner that was stopped for longer than his record lives takes nothing from his heir") {
    auto runtime = Runtime({.threads = 2});
    auto hand = ManualClock();
    const auto metadata = std::make_shared<Shared>(hand);
    auto memory = std::array<std::byte, 4096>();
    auto owner = TransferEngine<SharedTraits>(runtime, {.name = "owner", .metadata = metadata});
    auto heir = TransferEngine<SharedTraits>(runtime, {.name = "owner", .metadata = metadata});
    REQUIRE(runtime.run(owner.register_memory(memory, Rights::read)).has_value());
    CHECK(runtime.run(heir.register_memory(memory, Rights::read)).error() == Errc::conflict);
    hand.advance(1min); // for the server; the owner's keeper has yet to look again
    REQUIRE(runtime.run(heir.register_memory(memory, Rights::read)).has_value());
    CHECK(runtime.run(owner.register_memory(memory, Rights::read)).error() == Errc::conflict);
    runtime.run(owner.close());
    const auto segment = runtime.run(heir.open("owner", 5s));
    REQUIRE(segment.has_value());
    CHECK(segment->record().generation == heir.generation());
    runtime.run(heir.close());
    CHECK(runtime.run(metadata->get("owner", 5s)).error() == Errc::not_found);
}

TEST_CASE("kept record: an owner who is not told that he has the name finds out") {
    auto runtime = Runtime({.threads = 2});
    const auto metadata = std::make_shared<Shared>(ManualClock());
    auto memory = std::array<std::byte, 4096>();
    auto owner = TransferEngine<SharedTraits>(runtime, {.name = "owner", .metadata = metadata});
    metadata->lost = 1;
    CHECK(runtime.run(owner.register_memory(memory, Rights::read)).error() == Errc::connection_lost);
    REQUIRE(runtime.run(metadata->get("owner", 5s)).has_value()); // it was done
    CHECK(runtime.run(owner.register_memory(memory, Rights::read)).has_value());
    metadata->lost = 1;
    CHECK(runtime.run(owner.register_memory(memory, Rights::read)).error() == Errc::connection_lost);
    CHECK(runtime.run(owner.register_memory(memory, Rights::read)).has_value());
    CHECK(runtime.run(owner.open("owner", 5s)).value().record().buffers.size() == 2);
    metadata->lost = 1;
    CHECK(runtime.run(owner.register_memory(memory, Rights::read)).error() == Errc::connection_lost);
    runtime.run(owner.close()); // whose record is at another version than he was told last
    CHECK(runtime.run(metadata->get("owner", 5s)).error() == Errc::not_found);
}

TEST_CASE("kept record: engines find each other through a server, and a name has one owner") {
    auto runtime = Runtime({.threads = 2});
    auto server = serve(runtime);
    const auto metadata = std::make_shared<HttpMetadata>(runtime, HttpMetadataConfig{.server = server->endpoint()});
    auto memory = std::array<std::byte, 4096>();
    {
        auto owner = Engine(runtime, config("owner", metadata)), user = Engine(runtime, config("user", metadata));
        auto thief = Engine(runtime, config("owner", metadata));
        REQUIRE(runtime.run(owner.register_memory(memory, Rights::read_write, KeySharing::in_record)).has_value());
        CHECK(runtime.run(thief.register_memory(memory, Rights::read_write, KeySharing::in_record)).error() ==
              Errc::conflict);
        const auto segment = runtime.run(user.open("owner", 5s)).value();
        auto bytes = std::array<std::byte, 4096>();
        bytes.fill(std::byte{7});
        CHECK(runtime.run(user.write(bytes, segment, 0, {.deadline = 5s})).has_value());
        CHECK(memory == bytes);
        std::this_thread::sleep_for(1500ms); // longer than the record lives without its owner
        CHECK(runtime.run(user.open("owner", 5s)).has_value());
        runtime.run(owner.close());
        CHECK(runtime.run(user.open("owner", 5s)).error() == Errc::not_found);
    }
    runtime.run(metadata->close());
    runtime.run(server->close());
}

TEST_CASE("kept record: what a server forgot in a restart is told again by the owners") {
    auto runtime = Runtime({.threads = 2});
    auto server = serve(runtime);
    const auto at = server->endpoint();
    const auto metadata = std::make_shared<HttpMetadata>(runtime, HttpMetadataConfig{.server = at});
    auto memory = std::array<std::byte, 4096>();
    auto said = std::make_shared<std::atomic<int>>(0);
    {
        auto settings = config("owner", metadata);
        settings.log = Log([said](Severity, std::string_view sentence) {
            *said += sentence.find("record is") != std::string_view::npos;
        });
        auto owner = Engine(runtime, std::move(settings)), user = Engine(runtime, config("user", metadata));
        REQUIRE(runtime.run(owner.register_memory(memory, Rights::read_write, KeySharing::in_record)).has_value());
        runtime.run(server->close());
        server.reset();
        CHECK(runtime.run(user.open("owner", 1s)).error() == Errc::unreachable);
        CHECK(soon([&] { return *said == 1; })); // once, however long it lasts
        std::this_thread::sleep_for(500ms);
        CHECK(*said == 1);
        server = serve(runtime, at);
        CHECK(soon([&] { return runtime.run(user.open("owner", 1s)).has_value(); }));
        CHECK(soon([&] { return *said == 2; }));
        auto bytes = std::array<std::byte, 4096>();
        CHECK(runtime.run(user.read(bytes, runtime.run(user.open("owner", 1s)).value(), 0, {.deadline = 5s}))
                  .has_value());
    }
    runtime.run(metadata->close());
    runtime.run(server->close());
}

TEST_CASE("kept record: it dies with its owner, and a new owner may have the name") {
    if (test::sanitized) return; // some of which do not follow a process that forks
    auto channel = std::array<int, 2>();
    REQUIRE(::pipe(channel.data()) == 0);
    const auto parent = ::getpid();
    const auto owner = ::fork(); // before there are threads
    if (owner == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        auto port = std::uint16_t{0};
        if (::getppid() != parent || ::read(channel[0], &port, sizeof port) != sizeof port) ::_exit(1);
        auto runtime = Runtime({.threads = 1});
        auto memory = std::array<std::byte, 4096>();
        const auto metadata =
            std::make_shared<HttpMetadata>(runtime, HttpMetadataConfig{.server = {.host = "127.0.0.1", .port = port}});
        auto engine = Engine(runtime, config("owner", metadata));
        const auto registered = runtime.run(engine.register_memory(memory, Rights::read_write, KeySharing::in_record));
        if (!registered) ::_exit(1);
        for (;;) ::pause();
    }
    {
        auto runtime = Runtime({.threads = 2});
        auto server = serve(runtime);
        const auto metadata = std::make_shared<HttpMetadata>(runtime, HttpMetadataConfig{.server = server->endpoint()});
        const auto port = server->endpoint().port;
        REQUIRE(::write(channel[1], &port, sizeof port) == sizeof port);
        auto memory = std::array<std::byte, 4096>();
        {
            auto heir = Engine(runtime, config("owner", metadata)), user = Engine(runtime, config("user", metadata));
            CHECK(soon([&] { return runtime.run(user.open("owner", 1s)).has_value(); }));
            const auto claim = [&] {
                return runtime.run(heir.register_memory(memory, Rights::read_write, KeySharing::in_record));
            };
            CHECK(claim().error() == Errc::conflict);
            std::this_thread::sleep_for(1s);
            CHECK(claim().error() == Errc::conflict); // it is kept alive
            ::kill(owner, SIGKILL);
            ::waitpid(owner, nullptr, 0);
            CHECK(soon([&] { return claim().has_value(); }));
            CHECK(runtime.run(user.open("owner", 1s)).value().record().generation == heir.generation());
        }
        runtime.run(metadata->close());
        runtime.run(server->close());
    }
    for (const auto end : channel) ::close(end);
}
