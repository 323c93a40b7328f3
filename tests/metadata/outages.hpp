#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/metadata/concept.hpp>

#include "metadata/server_process.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mooncake::test {

/// What a metadata server's end, silence and return cost its clients: a clear error in time, and nothing afterwards. The server
/// keeps its data over a restart.
template <MetadataBackend M, class Server>
void outages(Runtime& runtime, M& metadata, Server& server) {
    using namespace std::chrono_literals;
    const auto put = [&](std::string key, std::string value) {
        return runtime.run(metadata.put(std::move(key), std::move(value), 5s));
    };
    const auto first = put("outage/a", "one");
    REQUIRE(first.has_value());

    // It says nothing: the deadline holds, with its name in the sentence; then it goes on as if nothing had been.
    server.signal(SIGSTOP);
    const auto start = SteadyClock{}.now();
    const auto hung = runtime.run(metadata.get("outage/a", 300ms));
    CHECK(hung.error() == Errc::timed_out);
    CHECK(hung.error().message().find(to_string(server.endpoint())) != std::string::npos);
    CHECK(SteadyClock{}.now() - start < 2s);
    server.signal(SIGCONT);
    CHECK(runtime.run(metadata.get("outage/a", 10s)).value().value == "one");

    // It dies while somebody waits for changes, and while nobody does.
    auto watched = Result<std::vector<DocumentChange>>();
    {
        auto waiting = std::jthread([&] { watched = runtime.run(metadata.watch("outage/", *first, 20s)); });
        std::this_thread::sleep_for(200ms);
        server.stop(SIGKILL);
    }
    CHECK(watched.error() == Errc::connection_lost);
    CHECK(runtime.run(metadata.get("outage/a", 2s)).error() == Errc::unreachable);
    CHECK(put("outage/b", "two").error() == Errc::unreachable);

    // It comes back with what it had. A watch that goes on from its version misses nothing of what others did meanwhile.
    REQUIRE(server.start());
    auto second = put("outage/b", "two");
    for (auto tries = 0; !second && tries < 100; ++tries, std::this_thread::sleep_for(100ms))
        second = put("outage/b", "two");
    REQUIRE(second.has_value());
    REQUIRE(runtime.run(metadata.remove("outage/a", 5s)).has_value());
    REQUIRE(put("outage/c", "three").has_value());
    auto seen = std::vector<DocumentChange>();
    for (auto from = *first; seen.size() < 3;) {
        auto changes = runtime.run(metadata.watch("outage/", from, 5s));
        REQUIRE(changes.has_value());
        for (auto& change : *changes) {
            CHECK(change.document.version > from);
            from = change.document.version;
            seen.push_back(std::move(change));
        }
    }
    REQUIRE(seen.size() == 3);
    CHECK((seen[0].key == "outage/b" && seen[0].document.value == "two"));
    CHECK((seen[1].key == "outage/a" && seen[1].removed));
    CHECK((seen[2].key == "outage/c" && seen[2].document.value == "three"));
}

} // namespace mooncake::test
