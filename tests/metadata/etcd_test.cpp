// labels: conformance io
// needs: etcd
#include <mooncake/metadata/etcd.hpp>
#include <mooncake/testing/metadata_conformance.hpp>

#include "metadata/outages.hpp"
#include "metadata/server_process.hpp"
#include "net/raw_peer.hpp"

#include <memory>
#include <string>
#include <thread>
#include <utility>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

TEST_CASE("etcd: is a metadata backend in all it claims") {
    static auto server = EtcdServer();
    if (!server.is_there()) return skip(server.why_not());
    testing::metadata_conformance([](Runtime& runtime) {
        static auto count = 0;
        auto config =
            EtcdMetadataConfig{.server = server.endpoint(), .prefix = "test-" + std::to_string(++count) + "/"};
        return std::make_shared<EtcdMetadata<>>(runtime, std::move(config));
    });
}

TEST_CASE("etcd: a server that is silent, dies and comes back costs clear errors in time, and no change is missed") {
    auto server = EtcdServer();
    if (!server.is_there()) return skip(server.why_not());
    auto runtime = Runtime({.threads = 2});
    auto config = EtcdMetadataConfig{.server = server.endpoint()};
    auto metadata = EtcdMetadata<>(runtime, std::move(config));
    outages(runtime, metadata, server);
    runtime.run(metadata.close());
}

TEST_CASE("etcd: what was compacted has to be listed again, and what is too large is said to be") {
    auto server = EtcdServer();
    if (!server.is_there()) return skip(server.why_not());
    auto runtime = Runtime({.threads = 2});
    auto config = EtcdMetadataConfig{.server = server.endpoint()};
    auto metadata = EtcdMetadata<>(runtime, std::move(config));
    const auto first = runtime.run(metadata.put("a", "1", 5s)).value();
    const auto last = runtime.run(metadata.put("a", "2", 5s)).value();
    const auto body = R"({"revision": ")" + std::to_string(last) + R"("})";
    auto operations = RawPeer(server.endpoint());
    operations.say("POST /v3/kv/compaction HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + body);
    REQUIRE(operations.everything().starts_with("HTTP/1.1 200"));
    CHECK(runtime.run(metadata.watch("a", first - 1, 5s)).error() == Errc::conflict);
    CHECK(runtime.run(metadata.put("large", std::string(20'000'000, 'x'), 20s)).error() == Errc::too_large);
    runtime.run(metadata.close());
}

TEST_CASE("etcd: answers that are none are errors, and never more") {
    auto runtime = Runtime({.threads = 2});
    for (const auto* const body :
         {"", "{}", "[]", "null", "\"text\"", "{\"kvs\": 7}", "{\"kvs\": [7]}", "{\"kvs\": [{\"key\": \"!\"}]}",
          "{\"kvs\": [{\"key\": \"YQ==\", \"mod_revision\": \"5\"}]}", "{\"header\": {\"revision\": \"-5\"}}"}) {
        auto server = SilentServer();
        auto config = EtcdMetadataConfig{.server = server.endpoint()};
        auto metadata = EtcdMetadata<>(runtime, std::move(config));
        auto got = Result<std::uint64_t>();
        auto found = Result<Document>();
        auto watched = Result<std::vector<DocumentChange>>();
        const auto text = std::string(body);
        const auto answer =
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(text.size() + 1) + "\r\n\r\n" +
            text + "\n";
        const auto answered = [&](auto ask) {
            auto waiting = std::jthread(ask);
            auto peer = RawPeer(server.acceptor);
            peer.say(answer);
            waiting.join();
        };
        answered([&] { got = runtime.run(metadata.put("a", "b", 5s)); });
        answered([&] { found = runtime.run(metadata.get("a", 5s)); });
        answered([&] { watched = runtime.run(metadata.watch("a", 0, 5s)); });
        INFO(text);
        CHECK(got.error() == Errc::protocol_error);
        CHECK((found.error() == Errc::protocol_error || found.error() == Errc::not_found));
        CHECK((watched.error() == Errc::protocol_error || watched.error() == Errc::connection_lost));
        runtime.run(metadata.close());
    }
}
