// labels: io
#include <mooncake/net/server.hpp>

#include "echo.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

/// Says `bytes` on a connection of its own, after a proper hello or without: it is cut off, logged once, and harms nobody.
void breach(std::string_view bytes, bool greeted) {
    auto echo = EchoServer();
    auto innocent = RawPeer(echo.server.endpoint());
    innocent.say(hello("echo"));
    CHECK(innocent.listen().has_value());
    {
        auto peer = RawPeer(echo.server.endpoint());
        if (greeted) {
            peer.say(hello("echo"));
            CHECK(peer.listen().has_value());
        }
        peer.say(bytes);
        CHECK(peer.is_cut_off());
    }
    CHECK(serves(echo.server.endpoint()));
    auto header = FrameHeader();
    header.method = 1;
    header.id = 9;
    innocent.say(frame(header, "still here"));
    const auto reply = innocent.listen();
    CHECK((reply && reply->id == 9 && innocent.text == "still here"));
    const auto lines = echo.book.lines();
    CHECK(lines.size() == 1);
    if (!lines.empty()) CHECK(lines[0].find("127.0.0.1:") != std::string::npos);
}

/// Says what to do when a call is given up, and answers it at once.
class HastyService final : public FrameService {
  public:
    std::string_view name() const noexcept override { return "hasty"; }
    Result<void> accept(Exchange&) override { return ok; }
    void serve(std::unique_ptr<Exchange> exchange, const std::shared_ptr<ReplyChannel>& channel) override {
        auto token = std::make_shared<int>(0);
        last = token;
        channel->on_cancel(*exchange, [token] { ++*token; });
        exchange->reply.assign(says, 's');
        channel->send(std::move(exchange));
    }
    std::weak_ptr<int> last;
    std::size_t says = 0; ///< bytes of a reply
};

std::string with(void (*change)(FrameHeader&)) {
    auto header = FrameHeader();
    header.method = 1;
    change(header);
    return {reinterpret_cast<const char*>(&header), sizeof header};
}

} // namespace

TEST_CASE("server: garbage ends its connection, is logged once, and harms nobody else") {
    const auto garbage = std::string(100, 'G');
    SUBCASE("instead of a hello") { breach(garbage, false); }
    SUBCASE("after the hello") { breach(garbage, true); }
    SUBCASE("an HTTP request") { breach("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", false); }
    SUBCASE("a reply where a request is due") {
        breach(with([](FrameHeader& header) { header.kind = FrameKind::reply; }), true);
    }
    SUBCASE("a kind nobody knows") {
        breach(with([](FrameHeader& header) { header.kind = static_cast<FrameKind>(200); }), true);
    }
    SUBCASE("a message over the limit") {
        breach(with([](FrameHeader& header) { header.meta_bytes = std::numeric_limits<std::uint32_t>::max(); }), true);
    }
    SUBCASE("a payload over the limit") {
        breach(with([](FrameHeader& header) { header.payload_bytes = std::numeric_limits<std::uint64_t>::max(); }),
               true);
    }
    SUBCASE("a first frame that is no hello") {
        breach(with([](FrameHeader&) {}), false);
    }
    SUBCASE("a call that the service takes for a breach") {
        breach(with([](FrameHeader& header) { header.method = 99; }), true);
    }
}

TEST_CASE("server: a hello for something else is refused with a sentence") {
    auto echo = EchoServer();
    const auto refusal = [&](const std::string& said) {
        auto peer = RawPeer(echo.server.endpoint());
        peer.say(said);
        const auto reply = peer.listen();
        CHECK(peer.is_cut_off());
        return std::pair(reply ? static_cast<Errc>(reply->status) : Errc::timed_out, peer.text);
    };
    const auto [version, version_text] = refusal(hello("echo", 0, wire_version + 1));
    CHECK(version == Errc::version_mismatch);
    CHECK(version_text.find("wire version") != std::string::npos);
    const auto [service, service_text] = refusal(hello("rpc"));
    CHECK(service == Errc::protocol_error);
    CHECK(service_text.find("'echo'") != std::string::npos);
    const auto [generation, generation_text] = refusal(hello("echo", 8));
    CHECK(generation == Errc::stale_generation);
    CHECK(generation_text.find("open it again") != std::string::npos);
    CHECK(refusal(frame({}, "\x01")).first == Errc::protocol_error);
    const auto older = std::string("\x02\0\0\0\x04\0\0\0echo\0\0\0\0\0\0\0\0", 20); // a hello of version 2
    CHECK(refusal(frame({}, older)).first == Errc::version_mismatch);
    CHECK(serves(echo.server.endpoint()));
}

TEST_CASE("server: a peer that says nothing, or stops in the middle, is gone in time") {
    auto echo = EchoServer({.hello_within = 50ms, .stall = 50ms});
    auto silent = RawPeer(echo.server.endpoint()), slow = RawPeer(echo.server.endpoint());
    CHECK(silent.is_cut_off());
    auto header = FrameHeader();
    header.method = 1;
    auto half = frame(header, "message", std::string(1000, 'p'));
    half.resize(half.size() - 1);
    auto stalling = RawPeer(echo.server.endpoint());
    stalling.say(hello("echo"));
    CHECK(stalling.listen().has_value());
    stalling.say(half);
    CHECK(stalling.is_cut_off());
    CHECK(slow.is_cut_off());
    CHECK(serves(echo.server.endpoint()));
    CHECK(echo.book.lines().empty()); // slow is not hostile
}

TEST_CASE("server: a peer that takes no replies is gone in time") {
    auto echo = EchoServer({.stall = 100ms});
    auto peer = RawPeer(echo.server.endpoint());
    peer.say(hello("echo"));
    CHECK(peer.listen().has_value());
    auto header = FrameHeader();
    header.method = 3;
    peer.say(frame(header, std::to_string(64 * MiB)));
    // Until then its reply holds memory, which somebody may want to take back.
    const auto until = Deadline(10s);
    while ((echo.service.served == 0 || !echo.service.memory().expired()) && !until.passed()) std::this_thread::yield();
    CHECK(echo.service.memory().expired());
    CHECK(serves(echo.server.endpoint()));
}

TEST_CASE("server: an address that is taken is said to be taken") {
    auto echo = EchoServer();
    auto service = EchoService();
    try {
        auto second = Server<PlainTcp>(echo.runtime, service, {.listen = {.bind = echo.server.endpoint()}});
        FAIL("two servers on one port");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == make_error_code(Errc::address_in_use));
        CHECK(std::string(error.what()).find(to_string(echo.server.endpoint())) != std::string::npos);
    }
    CHECK_THROWS_AS(Server<PlainTcp>(echo.runtime, service, {.listen = {.bind = {"no address", 0}}}),
                    boost::system::system_error);
}

TEST_CASE("server: what it advertises may differ from what it binds") {
    auto echo = EchoServer();
    auto service = EchoService();
    auto named = Server<PlainTcp>(echo.runtime, service, {.listen = {.advertise = {"node-3.example", 0}}});
    CHECK(named.endpoint().host == "node-3.example");
    CHECK(named.endpoint().port != 0);
    auto both = Server<PlainTcp>(echo.runtime, service, {.listen = {.advertise = {"10.0.0.1", 7000}}});
    CHECK(both.endpoint() == Endpoint{"10.0.0.1", 7000});
}

TEST_CASE("server: one that listens everywhere advertises an address that others can reach, where there is one") {
    auto runtime = Runtime({.threads = 1});
    auto service = EchoService();
    const auto server = Server<PlainTcp>(runtime, service, {.listen = {.bind = {"0.0.0.0", 0}}});
    auto others = std::vector<std::string>();
    auto* list = static_cast<ifaddrs*>(nullptr);
    REQUIRE(getifaddrs(&list) == 0);
    for (const auto* at = list; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_UP) == 0) continue;
        auto text = std::array<char, INET_ADDRSTRLEN>();
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr, text.data(), text.size());
        if (std::string_view(text.data()).substr(0, 4) != "127.") others.emplace_back(text.data());
    }
    freeifaddrs(list);
    if (others.empty()) CHECK(server.endpoint().host == "127.0.0.1");
    else CHECK(std::find(others.begin(), others.end(), server.endpoint().host) != others.end());
}

TEST_CASE("server: IPv6 is served like IPv4") {
    auto echo = EchoServer({}, "::1");
    CHECK(to_string(echo.server.endpoint()).starts_with("[::1]:"));
    CHECK(serves(echo.server.endpoint()));
}

TEST_CASE("server: connections above the limit are closed at once, and room comes back") {
    auto book = LogBook();
    auto runtime = Runtime({.threads = 2});
    auto service = EchoService();
    auto server = Server<PlainTcp>(runtime, service, {.most_connections = 2, .log = book.log()});
    server.start();
    auto first = std::make_unique<RawPeer>(server.endpoint());
    auto second = RawPeer(server.endpoint());
    for (auto* peer : {first.get(), &second}) {
        peer->say(hello("echo"));
        CHECK(peer->listen().has_value());
    }
    CHECK(RawPeer(server.endpoint()).is_cut_off());
    first.reset();
    auto served = false;
    for (const auto until = Deadline(10s); !served && !until.passed();) served = serves(server.endpoint());
    CHECK(served);
    runtime.run(server.close());
    CHECK(second.is_cut_off());
    runtime.run(server.close());
}

TEST_CASE("server: at the limit one that has yet to say what it wants goes before one that is idle") {
    auto runtime = Runtime({.threads = 2});
    auto service = EchoService();
    auto server = Server<PlainTcp>(runtime, service, {.most_connections = 2});
    server.start();
    auto idle = RawPeer(server.endpoint());
    idle.say(hello("echo"));
    REQUIRE(idle.listen().has_value());
    auto silent = RawPeer(server.endpoint());
    auto third = RawPeer(server.endpoint());
    CHECK(silent.is_cut_off());
    for (auto* const peer : {&idle, &third}) {
        auto header = FrameHeader();
        header.method = 1;
        peer->say(peer == &idle ? frame(header, "still here") : hello("echo"));
        CHECK(peer->listen().has_value());
    }
    runtime.run(server.close());
}

TEST_CASE("server: peers that announce messages and keep them to themselves make room for those who send theirs") {
    auto book = LogBook();
    auto runtime = Runtime({.threads = 2});
    auto service = EchoService();
    auto server = Server<PlainTcp>(runtime, service, {.most_message_bytes = 1 * MiB, .log = book.log()});
    server.start();
    auto header = FrameHeader();
    header.method = 1;
    const auto whole = frame(header, std::string(600'000, 'm'));
    auto hoarders = std::vector<std::unique_ptr<RawPeer>>();
    for (int i = 0; i < 20; ++i) {
        auto& hoarder = *hoarders.emplace_back(std::make_unique<RawPeer>(server.endpoint()));
        hoarder.say(hello("echo"));
        REQUIRE(hoarder.listen().has_value());
        hoarder.say(std::string_view(whole).substr(0, 100));
    }
    auto honest = RawPeer(server.endpoint());
    honest.say(hello("echo"));
    REQUIRE(honest.listen().has_value());
    honest.say(whole);
    CHECK(honest.listen().has_value());
    CHECK(hoarders.front()->is_cut_off());
    CHECK(serves(server.endpoint())); // what is small waits for nobody
    REQUIRE_FALSE(book.lines().empty());
    CHECK(book.lines().front().find("memory for messages") != std::string::npos);
    runtime.run(server.close());
}

TEST_CASE("server: what was answered is held no more, neither its bytes nor what its cancellation would do") {
    auto runtime = Runtime({.threads = 1});
    auto service = HastyService();
    auto server = Server<PlainTcp>(runtime, service, {.connection = {.most_request_bytes = 1'000}});
    server.start();
    auto peer = RawPeer(server.endpoint());
    peer.say(hello("hasty"));
    REQUIRE(peer.listen().has_value());
    for (std::uint64_t id = 1; id <= 20; ++id) {
        auto header = FrameHeader();
        header.id = id;
        peer.say(frame(header, std::string(600, 'm')));
        const auto reply = peer.listen();
        REQUIRE(reply.has_value());
        CHECK(reply->id == id);
    }
    CHECK(service.last.expired());
    runtime.run(server.close());
}

TEST_CASE("server: a reply over the limit is an error with a sentence, and the connection goes on") {
    auto runtime = Runtime({.threads = 1});
    auto service = HastyService();
    auto server = Server<PlainTcp>(runtime, service, {.connection = {.limits = {.meta_bytes = 5'000}}});
    server.start();
    auto peer = RawPeer(server.endpoint());
    peer.say(hello("hasty"));
    REQUIRE(peer.listen().has_value());
    for (const auto& [bytes, expected] : {std::pair(5'001, Errc::too_large), std::pair(5'000, Errc::ok)}) {
        service.says = static_cast<std::size_t>(bytes);
        peer.say(frame({}));
        const auto reply = peer.listen();
        REQUIRE(reply.has_value());
        CHECK(reply->status == static_cast<std::uint16_t>(expected));
        CHECK((expected == Errc::ok) == (peer.text.size() == 5'000));
    }
    runtime.run(server.close());
}

TEST_CASE("server: one address has so many connections, and its idlest makes room for another") {
    auto runtime = Runtime({.threads = 2});
    auto service = EchoService();
    auto server = Server<PlainTcp>(runtime, service, {.most_of_a_peer = 3});
    server.start();
    auto peers = std::vector<std::unique_ptr<RawPeer>>();
    for (int i = 0; i < 4; ++i) {
        auto& peer = *peers.emplace_back(std::make_unique<RawPeer>(server.endpoint()));
        peer.say(hello("echo"));
        REQUIRE(peer.listen().has_value());
    }
    CHECK(peers.front()->is_cut_off());
    auto header = FrameHeader();
    header.method = 1;
    peers.back()->say(frame(header, "still here"));
    CHECK(peers.back()->listen().has_value());
    runtime.run(server.close());
}

TEST_CASE("server: one address has no more connections than its share, also when none of them has said anything") {
    auto runtime = Runtime({.threads = 2});
    auto service = EchoService();
    auto server = Server<PlainTcp>(runtime, service, {.most_of_a_peer = 3});
    server.start();
    auto peers = std::vector<std::unique_ptr<RawPeer>>();
    for (int i = 0; i < 4; ++i) peers.push_back(std::make_unique<RawPeer>(server.endpoint()));
    CHECK(peers.back()->is_cut_off());
    peers.front()->say(hello("echo"));
    CHECK(peers.front()->listen().has_value());
    runtime.run(server.close());
}

TEST_CASE("server: of those who have yet to say what they want, the one that has waited for longest makes room") {
    auto runtime = Runtime({.threads = 2});
    auto service = EchoService();
    auto server = Server<PlainTcp>(runtime, service, {.most_greeting = 2});
    server.start();
    auto first = RawPeer(server.endpoint()), second = RawPeer(server.endpoint()), third = RawPeer(server.endpoint());
    CHECK(first.is_cut_off());
    for (auto* const peer : {&second, &third}) {
        peer->say(hello("echo"));
        CHECK(peer->listen().has_value());
    }
    runtime.run(server.close());
}

TEST_CASE("server: it closes at any moment, however busy it is") {
    for (int round = 0; round < 30; ++round) {
        auto echo = EchoServer();
        const auto endpoint = echo.server.endpoint();
        auto stop = std::atomic<bool>{false};
        auto clients = std::vector<std::jthread>();
        for (int i = 0; i < 2; ++i)
            clients.emplace_back([&] {
                while (!stop) try {
                        auto peer = RawPeer(endpoint);
                        peer.say(hello("echo"));
                        (void)peer.listen();
                    } catch (const boost::system::system_error&) {
                        return;
                    }
            });
        const auto until = SteadyClock{}.now() + std::chrono::microseconds(round * 200);
        while (SteadyClock{}.now() < until) std::this_thread::yield();
        const auto before = SteadyClock{}.now();
        echo.runtime.run(echo.server.close());
        REQUIRE(SteadyClock{}.now() - before < 4s); // hello_within is 5 s: nobody was waited for
        stop = true;
    }
}
