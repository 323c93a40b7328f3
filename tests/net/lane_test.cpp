// labels: io
#include <mooncake/core/combine.hpp>
#include <mooncake/net/lane.hpp>
#include <mooncake/net/lane_slot.hpp>

#include "echo.hpp"

#include <doctest/doctest.h>

#include <deque>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

Task<void> run_all(Lane<PlainTcp>* lane, std::deque<LaneOperation>* operations, Deadline deadline) {
    auto latch = net::detail::Latch(operations->size());
    auto tickets = std::vector<Lane<PlainTcp>::Ticket>();
    for (auto& operation : *operations) {
        operation.latch = &latch;
        tickets.push_back(lane->submit(operation));
    }
    co_await Lane<PlainTcp>::wait_all(tickets, latch, deadline);
    co_return ok;
}

/// A lane to a server that does only what the test does.
struct Staged {
    Staged() {
        lane = std::make_shared<Lane<PlainTcp>>(runtime.executor(),
                                                LaneConfig{.peer = server.endpoint(), .hello = {.service = "echo"}});
        lane->start();
        peer.emplace(server.acceptor);
        if (peer->listen()) peer->say(reply(0));
    }
    ~Staged() { runtime.run(lane->close()); }

    static std::string reply(std::uint64_t id, std::string_view meta = {}, std::string_view payload = {}) {
        auto header = FrameHeader();
        header.kind = FrameKind::reply;
        header.id = id;
        return frame(header, meta, payload);
    }
    Errc execute(LaneOperation& operation, Deadline deadline) {
        (void)runtime.run(run(lane.get(), &operation, deadline));
        return operation.error.code();
    }

    Runtime runtime{{.threads = 2}};
    SilentServer server;
    std::shared_ptr<Lane<PlainTcp>> lane;
    std::optional<RawPeer> peer;
};

} // namespace

TEST_CASE("lane: many requests are on their way at once, with payloads both ways") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    auto sent = std::string(3 * MiB, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * i >> 7);
    auto received = std::string(sent.size(), '\0');
    auto operations = std::deque<LaneOperation>();
    auto payloads = std::deque<ConstBytes>();
    for (std::size_t at = 0, i = 0; at < sent.size(); ++i) {
        const auto length = std::min<std::size_t>(sent.size() - at, i % 5 == 0 ? 0 : i * 97);
        auto& operation = operations.emplace_back(call(1, "request " + std::to_string(i)));
        operation.payload = std::span(&payloads.emplace_back(bytes_of(sent).subspan(at, length)), 1);
        operation.sinks.push_back(std::as_writable_bytes(std::span(received)).subspan(at, length));
        at += length;
    }
    CHECK(echo.runtime.run(run_all(lane.get(), &operations, 30s)).has_value());
    for (std::size_t i = 0; i < operations.size(); ++i) {
        CHECK(operations[i].error.code() == Errc::ok);
        CHECK(operations[i].reply == "request " + std::to_string(i));
    }
    CHECK((sent == received));
    CHECK(lane->bytes_in_flight() == 0);
    echo.close(lane);
}

TEST_CASE("lane: a reply's payload is scattered over more spans than a system call takes") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    const auto sent = std::string(300'000, 'x') + std::string(300'000, 'y');
    auto received = std::string(sent.size(), '\0');
    const auto payload = bytes_of(sent);
    auto operation = call(1, "scatter");
    operation.payload = std::span(&payload, 1);
    for (std::size_t at = 0; at < received.size(); at += 1000)
        operation.sinks.push_back(std::as_writable_bytes(std::span(received)).subspan(at, 1000));
    CHECK(echo.runtime.run(run(lane.get(), &operation, 30s)).has_value());
    CHECK(operation.error.code() == Errc::ok);
    CHECK((sent == received));
    echo.close(lane);
}

TEST_CASE("lane: what is given up while it waits for its reply is dropped, and the lane goes on") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    auto silent = call(2), loud = call(1, "loud");
    CHECK(echo.runtime.run(run(lane.get(), &silent, 20ms)).has_value());
    CHECK(silent.error.code() == Errc::timed_out);
    CHECK(echo.runtime.run(run(lane.get(), &loud, 10s)).has_value());
    CHECK(loud.reply == "loud");
    auto cancelled = call(2);
    (void)echo.runtime.run(with_deadline(run(lane.get(), &cancelled, {}), 5ms));
    CHECK(cancelled.error.code() == Errc::cancelled);
    CHECK_FALSE(lane->failed());
    CHECK(lane->bytes_in_flight() == 0);
    echo.close(lane);
}

TEST_CASE("lane: whoever speaks something else, and waits for the end of a line, is found out at once") {
    auto runtime = Runtime({.threads = 1});
    auto server = SilentServer();
    auto answer = std::jthread([&server] {
        auto peer = RawPeer(server.acceptor);
        for (auto asked = std::string(); !asked.ends_with("\r\n\r\n") && peer.hears();) {
            auto byte = '\0';
            if (recv(peer.fd(), &byte, 1, 0) != 1) return;
            asked.push_back(byte);
        }
        peer.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    const auto lane = std::make_shared<Lane<PlainTcp>>(
        runtime.executor(), LaneConfig{.peer = server.endpoint(), .hello = {.service = "rpc"}, .connect_within = 60s});
    lane->start();
    auto asked = call(1, "text");
    const auto begun = SteadyClock{}.now();
    (void)runtime.run(run(lane.get(), &asked, 30s));
    CHECK(asked.error == Errc::protocol_error);
    CHECK(asked.error.message().find("no mooncake process: what it says begins with 'HTTP/1.1'") != std::string::npos);
    CHECK(SteadyClock{}.now() - begun < 10s);
    runtime.run(lane->close());
}

TEST_CASE("lane: what is given up before it was sent costs nobody anything") {
    auto runtime = Runtime({.threads = 1});
    auto server = SilentServer();
    const auto lane = std::make_shared<Lane<PlainTcp>>(
        runtime.executor(), LaneConfig{.peer = server.endpoint(), .hello = {.service = "echo"}});
    lane->start();
    auto early = call(1, "early");
    (void)runtime.run(run(lane.get(), &early, 10ms));
    CHECK(early.error.code() == Errc::timed_out);
    auto peer = RawPeer(server.acceptor);
    CHECK(peer.listen().has_value());
    peer.say(Staged::reply(0));
    auto late = call(1, "late");
    auto answer = std::jthread([&peer] {
        const auto asked = peer.listen();
        if (asked) peer.say(Staged::reply(asked->id, peer.text));
    });
    (void)runtime.run(run(lane.get(), &late, 10s));
    CHECK(late.reply == "late"); // and not "early", which was never sent
    runtime.run(lane->close());
}

TEST_CASE("lane: a reply that comes too late, or is given up halfway, touches nothing") {
    auto staged = Staged();
    auto memory = std::string(100'000, 'm');
    auto operation = call(1, "half");
    operation.sinks.push_back(std::as_writable_bytes(std::span(memory)));
    const auto half = Staged::reply(1, "", std::string(100'000, 'r'));
    auto speaker = std::jthread([&] {
        (void)staged.peer->listen();
        staged.peer->say(half.substr(0, 50'000));
    });
    CHECK(staged.execute(operation, 200ms) == Errc::timed_out);
    speaker.join();
    std::fill(memory.begin(), memory.end(), 'n');
    staged.peer->say(half.substr(50'000));
    auto next = call(1, "next");
    auto told = std::optional<FrameHeader>();
    auto answer = std::jthread([&] {
        told = staged.peer->listen();
        const auto asked = staged.peer->listen();
        if (asked) staged.peer->say(Staged::reply(asked->id, "next"));
    });
    CHECK(staged.execute(next, 10s) == Errc::ok);
    answer.join();
    CHECK(next.reply == "next");
    CHECK(memory == std::string(100'000, 'n'));
    CHECK_FALSE(staged.lane->failed());
    REQUIRE(told);
    CHECK(told->kind == FrameKind::cancel); // the server hears that nobody waits any more
    CHECK(told->id == 1);
}

TEST_CASE("lane: requests say for how long they are waited for") {
    auto staged = Staged();
    auto waits = std::vector<std::uint16_t>();
    auto listener = std::jthread([&] {
        for (auto i = 0; i < 3;) {
            const auto asked = staged.peer->listen();
            if (!asked) return;
            if (asked->kind != FrameKind::request) continue;
            waits.push_back(asked->status);
            staged.peer->say(Staged::reply(asked->id));
            ++i;
        }
    });
    for (const auto deadline : {Deadline(2s), Deadline(), Deadline(10min)}) {
        auto operation = call(1);
        CHECK(staged.execute(operation, deadline) == Errc::ok);
    }
    listener.join();
    REQUIRE(waits.size() == 3);
    CHECK(waits[0] > 1'000);
    CHECK(waits[0] <= 2'000);
    CHECK(waits[1] == 0);
    CHECK(waits[2] == 0);
}

TEST_CASE("lane: cancelled and late requests beside it harm no other") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    const auto bulk = std::string(1 * MiB, 'b');
    const auto payload = std::array{bytes_of(bulk)};
    auto over = std::atomic<bool>(false);
    auto storm = std::jthread([&] {
        for (auto i = 0; i < 400; ++i) {
            auto operation = call(1);
            operation.payload = payload;
            auto into = std::string(bulk.size(), '\0');
            operation.sinks.push_back(std::as_writable_bytes(std::span(into)));
            (void)echo.runtime.run(run(lane.get(), &operation, std::chrono::microseconds(i * 10)));
        }
        over = true;
    });
    auto steady = 0, failed = 0;
    while (!over) {
        auto operation = call(1, "steady");
        (void)echo.runtime.run(run(lane.get(), &operation, 30s));
        ++steady;
        failed += operation.error != Errc::ok || operation.reply != "steady";
    }
    CHECK(steady > 3); // the others are in more of a hurry, and go first
    CHECK(failed == 0);
    CHECK_FALSE(lane->failed());
    echo.close(lane);
}

TEST_CASE("lane: a message over the limit is refused before it is on its way, and the lane goes on") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    auto large = call(1, std::string(FrameLimits().meta_bytes + 1, 'l'));
    (void)echo.runtime.run(run(lane.get(), &large, 10s));
    CHECK(large.error == Errc::too_large);
    CHECK(large.error.message().find("16777217") != std::string::npos);
    auto next = call(1, "next");
    (void)echo.runtime.run(run(lane.get(), &next, 10s));
    CHECK(next.error == Errc::ok);
    CHECK_FALSE(lane->failed());
    echo.close(lane);
}

TEST_CASE("lane: a server that takes and says nothing any more is left, one that is slow is not") {
    auto runtime = Runtime({.threads = 2});
    auto server = SilentServer();
    const auto lane = std::make_shared<Lane<PlainTcp>>(
        runtime.executor(), LaneConfig{.peer = server.endpoint(), .hello = {.service = "echo"}, .silence = 200ms});
    lane->start();
    auto peer = RawPeer(server.acceptor);
    if (peer.listen()) peer.say(Staged::reply(0));
    auto slow = std::jthread([&] {
        const auto asked = peer.listen();
        for (auto pings = 0; pings < 4;) { // alive, and busy
            const auto heard = peer.listen();
            if (heard && heard->kind == FrameKind::ping) peer.say(Staged::reply(0)), ++pings;
        }
        if (asked) peer.say(Staged::reply(asked->id, "at last"));
        while (peer.listen()) continue; // and then nothing
    });
    auto operation = call(1);
    (void)runtime.run(run(lane.get(), &operation, 10s));
    CHECK(operation.error == Errc::ok);
    CHECK(operation.reply == "at last");
    const auto begun = SteadyClock{}.now();
    auto unanswered = call(1);
    (void)runtime.run(run(lane.get(), &unanswered, 10s));
    CHECK(unanswered.error == Errc::connection_lost);
    CHECK(unanswered.error.message().find("sign of life") != std::string::npos);
    CHECK(SteadyClock{}.now() - begun < 2s);
    runtime.run(lane->close());
}

TEST_CASE("lane: a server that has said nothing since somebody gave it up is left, though nobody waits any more") {
    auto runtime = Runtime({.threads = 2});
    auto server = SilentServer();
    const auto lane = std::make_shared<Lane<PlainTcp>>(
        runtime.executor(), LaneConfig{.peer = server.endpoint(), .hello = {.service = "echo"}, .silence = 200ms});
    lane->start();
    auto peer = RawPeer(server.acceptor);
    if (peer.listen()) peer.say(Staged::reply(0));
    auto operation = call(1);
    (void)runtime.run(run(lane.get(), &operation, 20ms));
    CHECK(operation.error == Errc::timed_out);
    CHECK_FALSE(lane->failed());
    for (const auto until = Deadline(10s); !lane->failed() && !until.passed();) std::this_thread::sleep_for(5ms);
    CHECK(lane->failed());
    runtime.run(lane->close());
}

TEST_CASE("lane: a request that is given up half sent takes the lane down") {
    auto staged = Staged();
    const auto sent = std::string(64 * MiB, 's');
    const auto payload = bytes_of(sent);
    auto large = call(1);
    large.payload = std::span(&payload, 1);
    CHECK(staged.execute(large, 50ms) == Errc::timed_out); // nobody reads
    CHECK(staged.lane->failed());
    CHECK(staged.lane->failure().code() == Errc::connection_lost);
    auto after = call(1);
    CHECK(staged.execute(after, 10s) == Errc::connection_lost);
}

TEST_CASE("lane: an answer that comes before its request was sent waits for that") {
    auto staged = Staged();
    const auto sent = std::string(16 * MiB, 's');
    const auto payload = bytes_of(sent);
    auto large = call(1, "large");
    large.payload = std::span(&payload, 1);
    auto done = std::atomic<bool>{false};
    auto speaker = std::jthread([&] {
        CHECK(staged.peer->hears());
        staged.peer->say(Staged::reply(1, "hasty"));
        CHECK_FALSE(done); // nobody has read the request
        CHECK(staged.peer->listen().has_value());
        CHECK(staged.peer->text.size() == sent.size() + 5);
    });
    CHECK(staged.execute(large, 20s) == Errc::ok);
    done = true;
    speaker.join();
    CHECK(large.reply == "hasty");
    auto next = call(1, "given up");
    auto hasty = std::jthread([&] {
        (void)staged.peer->listen();
        staged.peer->say(Staged::reply(2, "", "").substr(0, 10));
    });
    CHECK(staged.execute(next, 100ms) == Errc::timed_out);
}

TEST_CASE("lane: thousands of short calls, each over when its frame goes") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    for (int i = 0; i < 3000; ++i) {
        auto operation = call(1, std::to_string(i));
        (void)echo.runtime.run(run(lane.get(), &operation, 10s));
        REQUIRE(operation.reply == std::to_string(i));
    }
    echo.close(lane);
}

TEST_CASE("lane: replies that nobody asked for, or that do not fit, end the lane") {
    const auto after = [](const std::string& bytes) {
        auto staged = Staged();
        auto operation = call(1);
        auto speaker = std::jthread([&] {
            (void)staged.peer->listen();
            staged.peer->say(bytes);
        });
        const auto error = staged.execute(operation, 10s);
        CHECK(staged.peer->is_cut_off());
        return error;
    };
    CHECK(after(std::string(64, 'G')) == Errc::protocol_error);
    CHECK(after(Staged::reply(77)) == Errc::protocol_error);
    CHECK(after(Staged::reply(2)) == Errc::protocol_error); // the next that there would be
    CHECK(after(Staged::reply(1, "", "payload that was not wanted")) == Errc::protocol_error);
    auto request = FrameHeader();
    request.id = 1;
    CHECK(after(frame(request)) == Errc::protocol_error);
    auto large = FrameHeader();
    large.kind = FrameKind::reply;
    large.meta_bytes = ~0U;
    CHECK(after({reinterpret_cast<const char*>(&large), sizeof large}) == Errc::too_large);
}

TEST_CASE("lane: a server that refuses the hello says why") {
    auto echo = EchoServer();
    for (auto [hello, expected, text] :
         {std::tuple(Hello{.version = 99, .service = "echo"}, Errc::version_mismatch, "wire version 3"),
          std::tuple(Hello{.service = "other"}, Errc::protocol_error, "not 'other'"),
          std::tuple(Hello{.service = "echo", .generation = 3}, Errc::stale_generation, "open it again")}) {
        const auto lane = echo.lane(hello);
        auto operation = call(1);
        (void)echo.runtime.run(run(lane.get(), &operation, 10s));
        CHECK(operation.error.code() == expected);
        CHECK(operation.error.message().find(text) != std::string::npos);
        CHECK(operation.error.message().find(to_string(echo.server.endpoint())) != std::string::npos);
        CHECK_FALSE(lane->has_served());
        echo.close(lane);
    }
}

TEST_CASE("lane: nobody there, or somebody silent, is unreachable and ends what waits") {
    auto runtime = Runtime({.threads = 1});
    auto silent = SilentServer();
    auto nobody = silent.endpoint();
    {
        auto gone = SilentServer();
        nobody = gone.endpoint();
    }
    for (const auto& [endpoint, text] :
         {std::pair(silent.endpoint(), "did not answer"), std::pair(nobody, "is the process there running")}) {
        const auto lane = std::make_shared<Lane<PlainTcp>>(
            runtime.executor(), LaneConfig{.peer = endpoint, .hello = {.service = "echo"}, .connect_within = 50ms});
        lane->start();
        auto operation = call(1);
        (void)runtime.run(run(lane.get(), &operation, 10s));
        CHECK(operation.error.code() == Errc::unreachable);
        CHECK(operation.error.message().find(text) != std::string::npos);
        runtime.run(lane->close());
    }
}

TEST_CASE("lane: closing ends what is outstanding with closed, at every stage") {
    for (int round = 0; round < 60; ++round) {
        auto echo = EchoServer();
        const auto lane = echo.lane();
        auto operation = call(2);
        auto closer = std::jthread([&] {
            const auto until = SteadyClock{}.now() + std::chrono::microseconds(round * 20);
            while (SteadyClock{}.now() < until) std::this_thread::yield();
            echo.close(lane);
        });
        (void)echo.runtime.run(run(lane.get(), &operation, {}));
        REQUIRE(operation.error.code() == Errc::closed);
    }
}

TEST_CASE("lane: a slot makes a new lane when the server comes back, and pauses while it does not") {
    auto runtime = Runtime({.threads = 1});
    auto server = std::make_unique<EchoServer>();
    const auto endpoint = server->server.endpoint();
    auto slot = LaneSlot<PlainTcp>(runtime.executor(), {.peer = endpoint, .hello = {.service = "echo"}},
                                   {.first = 20ms, .most = 40ms});
    const auto ask = [&] {
        auto operation = call(1, "x");
        const auto lane = slot.lane(10s);
        if (!lane) return lane.error().code();
        (void)runtime.run(run(lane->get(), &operation, 10s));
        return operation.error.code();
    };
    CHECK(ask() == Errc::ok);
    CHECK(slot.lane(10s).value() == slot.lane(10s).value()); // one for all who ask
    server.reset();
    auto failures = 0;
    for (int i = 0; i < 50; ++i) failures += ask() != Errc::ok;
    CHECK(failures == 50);
    auto service = EchoService();
    auto again = Server<PlainTcp>(runtime, service, {.listen = {.bind = endpoint}});
    again.start();
    auto back = false;
    for (const auto until = Deadline(10s); !back && !until.passed();) back = ask() == Errc::ok;
    CHECK(back);
    runtime.run(slot.close());
    CHECK(ask() == Errc::closed);
    runtime.run(slot.close());
    runtime.run(again.close());
}

TEST_CASE("lane slot: a server that hangs up after its hello is not asked again and again") {
    auto runtime = Runtime({.threads = 1});
    auto server = SilentServer();
    auto connections = std::atomic<int>(0);
    auto stop = std::atomic<bool>(false);
    auto hanging_up = std::jthread([&] {
        while (!stop) {
            auto peer = RawPeer(server.acceptor);
            ++connections;
            if (peer.listen()) peer.say(Staged::reply(0));
        }
    });
    auto slot = LaneSlot<PlainTcp>(runtime.executor(), {.peer = server.endpoint(), .hello = {.service = "echo"}},
                                   {.first = 50ms, .most = 200ms});
    for (const auto until = Deadline(1s); !until.passed();) {
        auto operation = call(1, "x");
        const auto lane = slot.lane(10s);
        if (lane) (void)runtime.run(run(lane->get(), &operation, 1s));
    }
    CHECK(connections < 30);
    CHECK(connections > 2);
    stop = true;
    {
        auto last = RawPeer(server.endpoint());
    } // lets the accepting thread see it
    runtime.run(slot.close());
}
