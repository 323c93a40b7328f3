// labels: conformance io
// needs: redis
#include <mooncake/metadata/redis.hpp>
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

TEST_CASE("redis: is a metadata backend in all it claims") {
    static auto server = RedisServer();
    if (!server.is_there()) return skip(server.why_not());
    testing::metadata_conformance([](Runtime& runtime) {
        static auto count = 0;
        auto config =
            RedisMetadataConfig{.server = server.endpoint(), .prefix = "test-" + std::to_string(++count) + "/"};
        return std::make_shared<RedisMetadata<>>(runtime, std::move(config));
    });
}

TEST_CASE("redis: a server that is silent, dies and comes back costs clear errors in time, and no change is missed") {
    auto server = RedisServer();
    if (!server.is_there()) return skip(server.why_not());
    auto runtime = Runtime({.threads = 2});
    auto config = RedisMetadataConfig{.server = server.endpoint()};
    auto metadata = RedisMetadata<>(runtime, std::move(config));
    outages(runtime, metadata, server);
    runtime.run(metadata.close());
}

TEST_CASE("redis: the password is asked for, and a wrong one is said to be") {
    auto server = RedisServer({"--requirepass", "open sesame"});
    if (!server.is_there()) return skip(server.why_not());
    auto runtime = Runtime({.threads = 2});
    const auto with = [&](std::string password) {
        auto config = RedisMetadataConfig{.server = server.endpoint(), .password = std::move(password)};
        auto metadata = RedisMetadata<>(runtime, std::move(config));
        auto put = runtime.run(metadata.put("a", "b", 5s));
        for (auto i = 0; put && i < 3; ++i) put = runtime.run(metadata.put("a", "b", 5s));
        runtime.run(metadata.close());
        return put;
    };
    CHECK(with("open sesame").has_value());
    CHECK(with("").error() == Errc::access_denied);
    CHECK(with("wrong").error() == Errc::access_denied);
    CHECK(with("wrong").error().message().find("RedisMetadataConfig::user and password") != std::string::npos);
}

TEST_CASE("redis: removals are remembered up to a bound, and whoever is behind it lists again") {
    auto server = RedisServer();
    if (!server.is_there()) return skip(server.why_not());
    auto runtime = Runtime({.threads = 2});
    auto config = RedisMetadataConfig{.server = server.endpoint()};
    auto metadata = RedisMetadata<>(runtime, std::move(config));
    const auto first = runtime.run(metadata.put("first", "x", 5s)).value();
    for (auto i = 0; i < 1'100; ++i) {
        REQUIRE(runtime.run(metadata.put("k" + std::to_string(i), "x", 5s)).has_value());
        REQUIRE(runtime.run(metadata.remove("k" + std::to_string(i), 5s)).has_value());
    }
    CHECK(runtime.run(metadata.watch("", first, 5s)).error() == Errc::conflict);
    CHECK(runtime.run(metadata.list("", 5s)).value().size() == 1);
    runtime.run(metadata.close());
}

TEST_CASE("redis: answers that are none are errors, and never more") {
    auto runtime = Runtime({.threads = 2});
    for (const auto* const says : {"HTTP/1.1 200 OK\r\n\r\n", "+OK\r\n", ":-5\r\n", "*0\r\n", "*2\r\n:1\r\n:2\r\n",
                                   "$-1\r\n", "*1\r\n*1\r\n*1\r\n:1\r\n", "*-1\r\n", "-ERR no such script\r\n",
                                   "$99999999999999999999\r\n", "*1000000000000\r\n"}) {
        auto server = SilentServer();
        auto config = RedisMetadataConfig{.server = server.endpoint()};
        auto metadata = RedisMetadata<>(runtime, std::move(config));
        auto got = Result<std::uint64_t>();
        {
            auto waiting = std::jthread([&] { got = runtime.run(metadata.put("a", "b", 500ms)); });
            auto peer = RawPeer(server.acceptor);
            peer.say(says);
            waiting.join();
        }
        INFO(std::string(says));
        CHECK((got.error() == Errc::protocol_error || got.error() == Errc::timed_out));
        runtime.run(metadata.close());
    }
}

TEST_CASE("redis: an answer that does not end is not kept for ever") {
    auto runtime = Runtime({.threads = 2});
    auto server = SilentServer();
    auto config = RedisMetadataConfig{.server = server.endpoint()};
    auto metadata = RedisMetadata<>(runtime, std::move(config));
    auto got = Result<Document>();
    {
        auto waiting = std::jthread([&] { got = runtime.run(metadata.get("a", 10s)); });
        auto peer = RawPeer(server.acceptor);
        peer.say("*2\r\n$500000000\r\n");
        const auto more = std::string(1'000'000, 'x');
        for (auto i = 0; i < 80; ++i) peer.say(more); // until it hangs up
        waiting.join();
    }
    CHECK(got.error() == Errc::too_large);
    runtime.run(metadata.close());
}
