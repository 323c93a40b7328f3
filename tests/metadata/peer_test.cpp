// labels: conformance io
#include <mooncake/metadata/peer.hpp>
#include <mooncake/testing/metadata_conformance.hpp>

#include "net/raw_peer.hpp"
#include "support/open_files.hpp"

#include <deque>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

TEST_CASE("peer: is a metadata backend in all it claims") {
    testing::metadata_conformance([](Runtime& runtime) { return std::make_shared<PeerMetadata<>>(runtime); });
}

TEST_CASE("peer: a record is fetched from its owner, a silent peer delays nobody, and a dead one is unreachable") {
    auto runtime = Runtime({.threads = 2});
    auto owner = PeerMetadata<>(runtime), reader = PeerMetadata<>(runtime);
    owner.start();
    reader.start();
    CHECK(runtime.run(owner.put("segment", "record", {})).has_value());
    auto silent = SilentServer();
    const auto nobody = [] {
        const auto gone = SilentServer();
        return gone.endpoint();
    }();

    const auto start = SteadyClock{}.now();
    auto asked = Result<Document>();
    auto accepted = std::optional<RawPeer>();
    {
        auto waiting = std::jthread(
            [&] { asked = runtime.run(reader.get("segment@" + to_string(silent.endpoint()), Deadline(1500ms))); });
        accepted.emplace(silent.acceptor); // it is connected to the silent one now
        for (int i = 0; i < 100; ++i)
            CHECK(runtime.run(reader.get(owner.locator("segment"), 5s)).value().value == "record");
        CHECK(runtime.run(reader.get("segment@" + to_string(nobody), 5s)).error() == Errc::unreachable);
        CHECK(SteadyClock{}.now() - start < 1500ms);
    }
    CHECK(asked.error() == Errc::timed_out);
    CHECK(asked.error().message().find(to_string(silent.endpoint())) != std::string::npos);
    CHECK(runtime.run(reader.get("segment@nowhere", 5s)).error() == Errc::invalid_argument);
    CHECK(runtime.run(reader.get(owner.locator("none"), 5s)).error() == Errc::not_found);
    runtime.run(reader.close());
    CHECK(runtime.run(reader.get(owner.locator("segment"), 5s)).error() == Errc::closed);
    runtime.run(owner.close());
}

TEST_CASE("peer: connections to peers that are asked no more do not add up") {
    auto runtime = Runtime({.threads = 2});
    auto reader = PeerMetadata<>(runtime, {.connections = 3});
    auto owners = std::deque<PeerMetadata<>>();
    auto files = std::size_t{0};
    for (int i = 0; i < 20; ++i) {
        auto& owner = owners.emplace_back(runtime);
        owner.start();
        CHECK(runtime.run(owner.put("segment", "record " + std::to_string(i), {})).has_value());
        const auto got = runtime.run(reader.get(owner.locator("segment"), 5s));
        CHECK(got.value().value == "record " + std::to_string(i));
        if (i == 4) files = open_files();
    }
    // Each owner keeps the socket it listens on; a connection would cost two more.
    CHECK(comes_true([&] { return open_files() <= files + 15 + 4; }));
    for (auto& owner : owners) {
        CHECK(runtime.run(reader.get(owner.locator("segment"), 5s)).has_value());
        runtime.run(owner.close());
    }
    runtime.run(reader.close());
}
