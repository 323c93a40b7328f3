// labels: io
// needs: tls
#include <mooncake/net/psk_tcp.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/rpc/service.hpp>
#include <mooncake/testing/transport_pair.hpp>
#include <mooncake/transport/tcp.hpp>

#include "echo.hpp"
#include "repeat_service.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;
using Greeting = net::detail::PskGreeting;

namespace {

const auto key = std::string("0123456789abcdef0123456789abcdef");
const auto other_key = std::string("0123456789abcdef0123456789abcdeF");

struct TestPsk : PskTcp {
    TestPsk() : PskTcp({.key = key}) {}
};

struct Parrot {
    explicit Parrot(ConnectionConfig connection = {})
        : server(runtime, *service, {.connection = connection, .log = book.log()}, PskTcp({.key = key})) {
        server.start();
    }
    ~Parrot() { runtime.run(server.close()); }

    template <StreamPolicy P>
    Error ask(P policy) {
        return ask_at(server.endpoint(), std::move(policy));
    }
    template <StreamPolicy P>
    Error ask_at(Endpoint endpoint, P policy) {
        auto client =
            RpcClient<P>(runtime.next_executor(), {.server = endpoint, .connect_within = 2s}, std::move(policy));
        const auto reply = runtime.run(client.call(Repeat{"hello"}, 10s));
        runtime.run(client.close());
        if (!reply) return reply.error();
        return reply->text == "hello" ? Error() : Error(Errc::corrupt);
    }

    LogBook book;
    Runtime runtime{{.threads = 2}};
    std::unique_ptr<RpcService> service = make_repeat_service();
    Server<PskTcp> server;
};

bool comes_to_say(const LogBook& book, std::string_view words) {
    for (const auto until = Deadline(10s); !until.passed(); std::this_thread::sleep_for(1ms)) {
        const auto lines = book.lines();
        if (std::any_of(lines.begin(), lines.end(),
                        [words](const std::string& line) { return line.find(words) != std::string::npos; }))
            return true;
    }
    return false;
}

template <std::size_t N>
std::string_view view(const std::array<char, N>& bytes) {
    return {bytes.data(), N};
}
/// What the peer says next, of that many bytes.
template <std::size_t N>
bool hears(RawPeer& peer, std::array<char, N>& bytes) {
    auto have = std::size_t{0};
    while (have < N && peer.hears()) {
        const auto got = recv(peer.fd(), bytes.data() + have, N - have, 0);
        if (got <= 0) return false;
        have += static_cast<std::size_t>(got);
    }
    return have == N;
}

} // namespace

TEST_CASE("psk: calls are answered, and several MiB are moved, where both have the key") {
    auto parrot = Parrot();
    CHECK(parrot.ask(PskTcp({.key = key})) == Errc::ok);
    auto pair = testing::TransportPair<TcpTransport<TestPsk>>();
    const auto region = pair.add(5 * MiB, Rights::read_write);
    auto out = std::vector<std::byte>(5 * MiB), in = out;
    testing::fill(out, 5);
    CHECK(pair.move_one(Direction::write, out, region->offset, region->keys.write) == Errc::ok);
    CHECK(pair.move_one(Direction::read, in, region->offset, region->keys.read) == Errc::ok);
    CHECK(in == out);
}

TEST_CASE("psk: who does not have the key gets nothing, harms nobody, and is told of in the log") {
    auto parrot = Parrot();
    auto words = std::string("it does not have this process's key");
    auto peer = RawPeer(parrot.server.endpoint());
    auto challenge = Greeting::Challenge();
    SUBCASE("another key") {
        auto mine = Greeting(other_key);
        peer.say(view(mine.hello()));
        REQUIRE(hears(peer, challenge));
        CHECK_FALSE(mine.take_challenge(challenge));
        peer.say(view(mine.proof()));
    }
    SUBCASE("the server's own proof") {
        const auto mine = Greeting(other_key);
        peer.say(view(mine.hello()));
        REQUIRE(hears(peer, challenge));
        peer.say(view(challenge).substr(Greeting::nonce_bytes));
    }
    SUBCASE("the server's own nonce and proof, said by another of its connections") {
        const auto mine = Greeting(other_key);
        peer.say(view(mine.hello()));
        REQUIRE(hears(peer, challenge));
        auto oracle = RawPeer(parrot.server.endpoint());
        oracle.say(std::string(Greeting::magic) + std::string(view(challenge).substr(0, Greeting::nonce_bytes)));
        auto reflected = Greeting::Challenge();
        REQUIRE(hears(oracle, reflected));
        peer.say(view(reflected).substr(Greeting::nonce_bytes));
    }
    SUBCASE("a greeting that was good once") {
        auto member = Greeting(key);
        auto first = RawPeer(parrot.server.endpoint());
        first.say(view(member.hello()));
        auto once = Greeting::Challenge();
        REQUIRE(hears(first, once));
        REQUIRE(member.take_challenge(once));
        peer.say(view(member.hello()));
        REQUIRE(hears(peer, challenge));
        peer.say(view(member.proof()));
    }
    SUBCASE("plain TCP") {
        peer.say(hello("rpc"));
        words = "is no greeting";
    }
    SUBCASE("garbage") {
        peer.say(std::string(100'000, 'G'));
        words = "is no greeting";
    }
    CHECK(peer.is_cut_off());
    CHECK(comes_to_say(parrot.book, words));
    CHECK(parrot.ask(PskTcp({.key = key})) == Errc::ok);
}

TEST_CASE("psk: a greeting that stops in the middle is over in time, and delays nobody meanwhile") {
    auto parrot = Parrot({.hello_within = 700ms});
    auto silent = RawPeer(parrot.server.endpoint()), half = RawPeer(parrot.server.endpoint());
    auto proofless = RawPeer(parrot.server.endpoint()), gone = RawPeer(parrot.server.endpoint());
    const auto mine = Greeting(key);
    half.say(view(mine.hello()).substr(0, 20));
    proofless.say(view(mine.hello()));
    gone.say(view(mine.hello()).substr(0, 20));
    ::shutdown(gone.fd(), SHUT_WR);
    const auto began = SteadyClock{}.now();
    CHECK(parrot.ask(PskTcp({.key = key})) == Errc::ok);
    CHECK(SteadyClock{}.now() - began < 600ms);
    for (auto* const peer : {&silent, &half, &proofless, &gone}) CHECK(peer->is_cut_off());
    CHECK(parrot.ask(PskTcp({.key = key})) == Errc::ok);
    CHECK(parrot.book.lines().empty());
}

TEST_CASE("psk: frames that come together with the greeting are not lost") {
    auto parrot = Parrot();
    auto peer = RawPeer(parrot.server.endpoint());
    auto mine = Greeting(key);
    peer.say(view(mine.hello()));
    auto challenge = Greeting::Challenge();
    REQUIRE(hears(peer, challenge));
    REQUIRE(mine.take_challenge(challenge));
    peer.say(std::string(view(mine.proof())) + hello("rpc"));
    auto welcome = std::array<char, 1>();
    REQUIRE(hears(peer, welcome));
    const auto reply = peer.listen();
    REQUIRE(reply.has_value());
    CHECK(reply->status == 0);
}

TEST_CASE("psk: a client that meets a stranger says why, and does not prove anything to it") {
    auto parrot = Parrot();
    const auto another = parrot.ask(PskTcp({.key = other_key}));
    CHECK(another == Errc::unreachable);
    CHECK(another.message().find("does not have this process's key") != std::string::npos);
    CHECK(parrot.ask(PlainTcp()) == Errc::connection_lost);
    CHECK(parrot.ask(PskTcp()) == Errc::invalid_argument);

    auto echo = EchoServer();
    const auto plain = parrot.ask_at(echo.server.endpoint(), PskTcp({.key = key}));
    CHECK(plain == Errc::unreachable);
    CHECK(plain.message().find("it has another key, or asks for none") != std::string::npos);

    // One that gives back what it hears.
    auto silent = SilentServer();
    auto mirror = std::thread([&] {
        auto peer = RawPeer(silent.acceptor);
        auto said = Greeting::Hello();
        CHECK(hears(peer, said));
        auto back = std::string(view(said).substr(Greeting::magic.size()));
        peer.say(back + back);
        CHECK(peer.is_cut_off());
    });
    const auto mirrored = parrot.ask_at(silent.endpoint(), PskTcp({.key = key}));
    mirror.join();
    CHECK(mirrored == Errc::unreachable);
}

TEST_CASE("psk: a key is neither short nor endless") {
    CHECK_THROWS_AS(PskTcp({.key = "password"}), boost::system::system_error);
    CHECK(validate(PskConfig{.key = std::string(15, 'k')}).error() == Errc::invalid_argument);
    CHECK(validate(PskConfig{.key = std::string(16, 'k')}).has_value());
    CHECK(validate(PskConfig{.key = std::string(1024, 'k')}).has_value());
    CHECK(validate(PskConfig{.key = std::string(1025, 'k')}).error() == Errc::invalid_argument);
    auto runtime = Runtime({.threads = 1});
    auto service = EchoService();
    CHECK_THROWS_AS(Server<PskTcp>(runtime, service, {}), boost::system::system_error);
}
