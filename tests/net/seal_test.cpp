// labels: io coroutine
#include <mooncake/net/lane.hpp>
#include <mooncake/net/seal.hpp>

#include "echo.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

enum class Way : std::uint8_t { there, back };

/// Stands between one client and a server, and turns one bit over.
class Noise {
  public:
    Noise(Endpoint server, Way way, std::uint64_t bit)
        : server_(std::move(server)), way_(way), bit_(bit), thread_([this] { pass(); }) {}
    ~Noise() { thread_.join(); }

    [[nodiscard]] Endpoint endpoint() const { return front_.endpoint(); }
    [[nodiscard]] bool made() const { return made_; }

  private:
    void pass() {
        auto client = RawPeer(front_.acceptor);
        auto server = RawPeer(server_);
        auto passed = std::array<std::uint64_t, 2>();
        auto buffer = std::vector<char>(64 * KiB);
        for (;;) {
            auto ends = std::array{pollfd{client.fd(), POLLIN, 0}, pollfd{server.fd(), POLLIN, 0}};
            if (::poll(ends.data(), ends.size(), 10'000) <= 0) return;
            for (const auto from : {std::size_t{0}, std::size_t{1}}) {
                if ((ends[from].revents & (POLLIN | POLLHUP)) == 0) continue;
                const auto got = recv(ends[from].fd, buffer.data(), buffer.size(), 0);
                if (got <= 0) return;
                const auto bytes = static_cast<std::size_t>(got);
                const auto at = bit_ / 8;
                if (from == static_cast<std::size_t>(way_) && at >= passed[from] && at < passed[from] + bytes) {
                    buffer[at - passed[from]] ^= static_cast<char>(1U << bit_ % 8);
                    made_ = true;
                }
                passed[from] += bytes;
                (from == 0 ? server : client).say({buffer.data(), bytes});
            }
        }
    }

    const Endpoint server_;
    const Way way_;
    const std::uint64_t bit_;
    std::atomic<bool> made_ = false;
    SilentServer front_;
    std::thread thread_;
};

struct Outcome {
    Errc error;
    bool right; ///< what came is what was sent
    bool noise;
};

Outcome repeat_through_noise(EchoServer& echo, bool check, Way way, std::uint64_t bit) {
    const auto noise = Noise(echo.server.endpoint(), way, bit);
    auto lane = std::make_shared<Lane<PlainTcp>>(
        echo.runtime.executor(1),
        LaneConfig{.peer = noise.endpoint(), .hello = {.service = "echo"}, .check_frames = check});
    lane->start();
    const auto sent = std::string(50'000, 'p');
    auto received = std::string(sent.size(), '\0');
    auto operation = call(1, "a message");
    const auto payload = bytes_of(sent);
    operation.payload = std::span(&payload, 1);
    operation.sinks.push_back(std::as_writable_bytes(std::span(received)));
    (void)echo.runtime.run(run(lane.get(), &operation, 500ms));
    echo.close(lane);
    return {operation.error.code(), received == sent && operation.reply == "a message" && operation.status == 0,
            noise.made()};
}

} // namespace

TEST_CASE("seal: whatever bit of header or message is turned over, it shows") {
    auto header = FrameHeader{.method = 7, .meta_bytes = 9, .id = 12, .payload_bytes = 5};
    auto message = std::string("a message");
    net::detail::seal(header, message, 0x1234);
    CHECK(header.meta_bytes == message.size());
    auto raw = std::array<std::byte, FrameHeader::size>();
    encode_header(header, raw);
    const auto whole = std::string(text_of(raw)) + message;
    for (std::size_t bit = 0; bit <= 8 * whole.size(); ++bit) { // the last is none
        auto damaged = whole;
        if (bit < 8 * whole.size()) damaged[bit / 8] ^= static_cast<char>(1U << bit % 8);
        auto came = FrameHeader();
        std::memcpy(&came, damaged.data(), sizeof came);
        auto text = damaged.substr(FrameHeader::size);
        const auto digest = net::detail::unseal(came, text);
        CHECK(digest.has_value() == (bit == 8 * whole.size()));
        if (!digest) continue;
        CHECK(*digest == 0x1234);
        CHECK(text == "a message");
        CHECK(came.meta_bytes == 9);
    }
    auto short_one = std::string(15, 'x');
    CHECK(net::detail::unseal(header, short_one).error() == Errc::corrupt);
}

TEST_CASE("seal: a connection that damages what it carries ends, and nothing wrong is taken for right") {
    auto echo = EchoServer();
    auto random = std::minstd_rand(7);
    auto wrong_unnoticed = 0, lost = 0;
    for (auto i = 0; i < 60; ++i) {
        const auto way = i % 2 == 0 ? Way::there : Way::back;
        const auto hello = encode(Hello{.service = "echo"}).size(); // the answer to it is shorter
        const auto begin = FrameHeader::size + hello;
        // Every third in header and message, the rest anywhere.
        const auto bytes = i % 3 == 0 ? std::uint64_t{56} : std::uint64_t{50'000};
        const auto bit = 8 * begin + random() % (8 * bytes);
        const auto plain = repeat_through_noise(echo, false, way, bit);
        wrong_unnoticed += plain.error == Errc::ok && !plain.right ? 1 : 0;
        const auto checked = repeat_through_noise(echo, true, way, bit);
        CHECK(checked.noise);
        CHECK_FALSE((checked.error == Errc::ok && !checked.right));
        lost += checked.error == Errc::connection_lost ? 1 : 0;
    }
    CHECK(wrong_unnoticed > 20);
    CHECK(lost > 50);
    CHECK(serves(echo.server.endpoint()));
}

TEST_CASE("seal: a peer of the same version that is older or newer is served without") {
    auto echo = EchoServer();
    SUBCASE("a client that does not know of it") {
        auto hello = encode(Hello{.service = "echo"});
        hello.resize(hello.size() - sizeof Hello().features);
        auto peer = RawPeer(echo.server.endpoint());
        peer.say(frame({}, hello));
        const auto welcome = peer.listen();
        REQUIRE(welcome.has_value());
        CHECK(welcome->status == 0);
        peer.say(frame({.method = 1, .id = 5}, "ping", "pong"));
        CHECK(peer.listen().has_value());
        CHECK(peer.text == "pingpong");
    }
    SUBCASE("a client that wants what no server has yet, and says more") {
        auto hello = encode(Hello{.service = "echo", .features = ~std::uint64_t{0} << 1}) + "more";
        auto peer = RawPeer(echo.server.endpoint());
        peer.say(frame({}, hello));
        REQUIRE(peer.listen().has_value());
        CHECK(net::detail::read_welcome(peer.text).features == 0);
        peer.say(frame({.method = 1, .id = 5}, "ping", "pong"));
        CHECK(peer.listen().has_value());
        CHECK(peer.text == "pingpong");
    }
    SUBCASE("a server that does not know of it") {
        auto server = SilentServer();
        auto lane = std::make_shared<Lane<PlainTcp>>(
            echo.runtime.executor(),
            LaneConfig{.peer = server.endpoint(), .hello = {.service = "echo"}, .check_frames = true});
        lane->start();
        auto peer = RawPeer(server.acceptor);
        REQUIRE(peer.listen().has_value());
        peer.say(frame({.kind = FrameKind::reply}, "echo")); // all that they said
        auto thread = std::thread([&] {
            const auto request = peer.listen();
            if (request && peer.text == "ping")
                peer.say(frame({.kind = FrameKind::reply, .method = 1, .id = request->id}, "pong"));
        });
        auto operation = call(1, "ping");
        (void)echo.runtime.run(run(lane.get(), &operation, 10s));
        thread.join();
        CHECK(operation.error == Errc::ok);
        CHECK(operation.reply == "pong");
        echo.close(lane);
    }
}
