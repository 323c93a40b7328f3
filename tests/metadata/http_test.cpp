// labels: conformance io
#include <mooncake/metadata/http.hpp>
#include <mooncake/metadata/http_server.hpp>
#include <mooncake/testing/metadata_conformance.hpp>

#include "net/raw_peer.hpp"

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

/// A client and the server that it talks to.
struct Both : HttpMetadata {
    explicit Both(Runtime& runtime) : Both(runtime, std::make_unique<HttpMetadataServer<>>(runtime)) {}
    Both(Runtime& runtime, std::unique_ptr<HttpMetadataServer<>> mine)
        : HttpMetadata(runtime, {.server = mine->endpoint()}), server(std::move(mine)) {
        server->start();
    }
    asio::awaitable<void> close() {
        co_await HttpMetadata::close();
        co_await server->close();
    }
    std::unique_ptr<HttpMetadataServer<>> server;
};

} // namespace

TEST_CASE("http: is a metadata backend in all it claims") {
    testing::metadata_conformance([](Runtime& runtime) { return std::make_shared<Both>(runtime); });
}

TEST_CASE("http: any server that keeps values serves, with less") {
    auto runtime = Runtime({.threads = 2});
    auto server = HttpMetadataServer<>(runtime, {.path = "/kept/here"});
    server.start();
    auto plain = PlainHttpMetadata(runtime, {.server = server.endpoint(), .path = "/kept/here"});
    static_assert(!PlainHttpMetadata::capabilities.compare_and_swap);
    CHECK(runtime.run(plain.put("a key/with ?&=%+", "value", 5s)).has_value());
    CHECK(runtime.run(plain.get("a key/with ?&=%+", 5s)).value().value == "value");
    CHECK(runtime.run(plain.remove("a key/with ?&=%+", 5s)).has_value());
    CHECK(runtime.run(plain.get("a key/with ?&=%+", 5s)).error() == Errc::not_found);
    auto elsewhere = HttpMetadata(runtime, {.server = server.endpoint(), .path = "/metadata"});
    const auto lost = runtime.run(elsewhere.put("a", "b", 5s));
    CHECK(lost.error().message().find("there is /kept/here here") != std::string::npos);
    runtime.run(elsewhere.close());
    runtime.run(plain.close());
    CHECK(runtime.run(plain.get("a", 5s)).error() == Errc::closed);
    runtime.run(server.close());
}

TEST_CASE("http: what no client of ours would ask is refused with a sentence, and harms nobody") {
    auto runtime = Runtime({.threads = 2});
    auto server = HttpMetadataServer<>(runtime, {.connections = 4, .idle = 300ms});
    server.start();
    const auto answer = [&](std::string_view request) {
        auto peer = RawPeer(server.endpoint());
        peer.say(request);
        return peer.everything();
    };
    const auto asked = [&](std::string line, std::string fields = "") {
        return answer(line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + "\r\n");
    };
    CHECK(asked("GET /metadata?key=%zz").starts_with("HTTP/1.1 400"));
    CHECK(asked("GET /metadata?key=%a").starts_with("HTTP/1.1 400"));
    CHECK(asked("GET /metadata").starts_with("HTTP/1.1 405"));
    CHECK(asked("BREW /metadata?key=a").starts_with("HTTP/1.1 405"));
    CHECK(asked("GET /metadata?prefix=a&after=-1").starts_with("HTTP/1.1 400"));
    CHECK(asked("GET /metadata?prefix=a&after=1&wait_ms=99999999999999999999").starts_with("HTTP/1.1 400"));
    CHECK(asked("POST /metadata?ttl_ms=0").starts_with("HTTP/1.1 400"));
    CHECK(asked("POST /metadata?lease=7").starts_with("HTTP/1.1 404"));
    CHECK(asked("PUT /metadata?key=a&lease=7").starts_with("HTTP/1.1 404"));
    CHECK(asked("PUT /metadata?key=a", "If-Match: 7\r\n").starts_with("HTTP/1.1 400"));
    CHECK(asked("PUT /metadata?key=a", "If-Match: \"7\"\r\n").starts_with("HTTP/1.1 412"));
    CHECK(asked("DELETE /metadata?key=a", "If-Match: \"7\"\r\n").starts_with("HTTP/1.1 412"));
    CHECK(asked("DELETE /metadata?key=a", "If-Match: *\r\n").starts_with("HTTP/1.1 400"));
    CHECK(asked("DELETE /metadata?key=a").starts_with("HTTP/1.1 200"));
    CHECK(asked("GET /metadata?key=a").starts_with("HTTP/1.1 404"));
    CHECK(asked("GET /metadata?key=" + std::string(20'000, 'a')).starts_with("HTTP/1.1 413"));
    CHECK(asked("PUT /metadata?key=a", "Content-Length: 99999999999\r\n").starts_with("HTTP/1.1 413"));
    CHECK(answer("\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n").starts_with("HTTP/1.1 400"));
    CHECK(answer("GET /metadata?key=a HTT").empty()); // silent in mid-request: cut off

    // More than it serves: those beyond are turned away, and the others go on.
    auto silent = std::deque<RawPeer>();
    auto metadata = HttpMetadata(runtime, {.server = server.endpoint()});
    CHECK(runtime.run(metadata.put("a", "b", 5s)).has_value());
    for (int i = 0; i < 10; ++i) silent.emplace_back(server.endpoint());
    for (auto& peer : silent) CHECK(peer.is_cut_off());
    CHECK(runtime.run(metadata.get("a", 5s)).value().value == "b");
    runtime.run(metadata.close());
    runtime.run(server.close());
}

TEST_CASE("http: what a server holds, and what it has in hand, is bounded") {
    auto runtime = Runtime({.threads = 2});
    auto server = HttpMetadataServer<>(
        runtime,
        {.most_bytes = 256 * KiB, .most_body_bytes = 100 * KiB, .most_in_hand_bytes = 150 * KiB, .idle = 1'500ms});
    server.start();
    auto metadata = HttpMetadata(runtime, {.server = server.endpoint()});
    const auto put = [&](std::string key, std::size_t bytes) {
        return runtime.run(metadata.put(std::move(key), std::string(bytes, 'x'), 5s));
    };
    CHECK(put("large", 101 * KiB).error() == Errc::too_large);
    CHECK(put("a", 100 * KiB).has_value());
    CHECK(put("b", 100 * KiB).has_value());
    CHECK(put("c", 100 * KiB).error() == Errc::no_space);
    CHECK(put("b", 90 * KiB).has_value()); // in the place of what was there
    CHECK(runtime.run(metadata.remove("a", 5s)).has_value());
    CHECK(put("c", 100 * KiB).has_value());
    auto leases = 0;
    while (leases < 1'000 && runtime.run(metadata.grant(1h, 5s))) ++leases;
    CHECK(leases < 1'000);
    CHECK(runtime.run(metadata.grant(1h, 5s)).error() == Errc::no_space);
    CHECK(runtime.run(metadata.remove("b", 5s)).has_value());
    CHECK(runtime.run(metadata.grant(100ms, 5s)).has_value());
    CHECK(put("b", 90 * KiB).error() == Errc::no_space);
    std::this_thread::sleep_for(150ms);
    CHECK(put("b", 90 * KiB).has_value());
    CHECK(runtime.run(metadata.remove("c", 5s)).has_value());
    {
        // One that sends nearly all of much: others are told to try again. One that only promises it is no burden.
        auto promising = RawPeer(server.endpoint()), slow = RawPeer(server.endpoint());
        promising.say("PUT /metadata?key=p HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
        CHECK(put("d", 60 * KiB).has_value());
        slow.say("PUT /metadata?key=s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
                 std::string(99'999, 'x'));
        std::this_thread::sleep_for(200ms); // nobody else has anything in hand meanwhile
        auto refused = Result<std::uint64_t>();
        for (const auto until = Deadline(1s); !until.passed() && !refused.has_error();) refused = put("d", 90 * KiB);
        CHECK(refused.error() == Errc::no_space);
        CHECK(refused.error().message().find("try again") != std::string::npos);
        CHECK(slow.is_cut_off());
    }
    CHECK(put("d", 90 * KiB).has_value());
    // All at once is more than there may be in hand; what is new is not.
    const auto latest = put("e", 1 * KiB);
    REQUIRE(latest.has_value());
    CHECK(runtime.run(metadata.list("", 5s)).error() == Errc::no_space);
    CHECK(runtime.run(metadata.watch("", *latest - 1, 5s)).value().size() == 1);
    runtime.run(metadata.close());
    runtime.run(server.close());
}

TEST_CASE("http: a server that is silent, lies, or ends in mid-answer costs a clear error in time") {
    auto runtime = Runtime({.threads = 2});
    struct Case {
        std::string says;
        Errc means;
    };
    const auto cases = std::vector<Case>{
        {"", Errc::timed_out},
        {"HTTP/1.1 200 OK\r\nETag: \"5\"\r\nContent-Length: 10\r\n\r\nfive", Errc::timed_out},
        {"+PONG from another server\r\n\r\n", Errc::protocol_error},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", Errc::protocol_error}, // no version
        {"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 1\r\n\r\nx", Errc::protocol_error},
        {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", Errc::protocol_error},
        {"HTTP/1.1 200 OK\r\nETag: \"5\"\r\nContent-Length: 99999999999\r\n\r\n", Errc::too_large},
    };
    for (const auto& [says, means] : cases) {
        auto server = SilentServer();
        auto metadata = HttpMetadata(runtime, {.server = server.endpoint(), .answer_within = 200ms});
        auto got = Result<Document>();
        {
            auto waiting = std::jthread([&] { got = runtime.run(metadata.get("a", {})); });
            auto peer = RawPeer(server.acceptor);
            peer.say(says);
            waiting.join();
        }
        INFO(says);
        CHECK(got.error() == means);
        CHECK(got.error().message().find(to_string(server.endpoint())) != std::string::npos);
        {
            auto waiting = std::jthread([&] { got = runtime.run(metadata.get("a", 5s)); });
            {
                auto peer = RawPeer(server.acceptor);
            }
            waiting.join();
        }
        CHECK(got.error() == Errc::connection_lost);
        runtime.run(metadata.close());
    }
}

TEST_CASE("http: closing ends what waits") {
    auto runtime = Runtime({.threads = 2});
    auto server = HttpMetadataServer<>(runtime);
    server.start();
    auto metadata = HttpMetadata(runtime, {.server = server.endpoint()});
    auto watched = Result<std::vector<DocumentChange>>();
    auto waiting = std::jthread([&] { watched = runtime.run(metadata.watch("a", 0, Deadline::never())); });
    std::this_thread::sleep_for(50ms);
    const auto start = SteadyClock{}.now();
    runtime.run(metadata.close());
    waiting.join();
    CHECK(watched.error() == Errc::closed);
    runtime.run(server.close());
    CHECK(SteadyClock{}.now() - start < 2s);
}
