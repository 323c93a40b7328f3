// labels: coroutine
#include <mooncake/net/lane.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/simulation/stream.hpp>

#include "net/echo.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>

using namespace mooncake;
using namespace mooncake::simulation;
using namespace std::chrono_literals;

namespace {

using SimulatedLane = Lane<SimulatedNetwork>;

/// An echo server on one host, and a lane to it from another.
struct Hosts {
    Hosts() {
        network.join(a);
        network.join(b);
        const auto inside = Environment::Scope(&b);
        server = std::make_unique<Server<SimulatedNetwork>>(b.runtime(), service, ServerConfig{});
        server->start();
        connect();
    }
    ~Hosts() {
        (void)a.run(close(lane.get()), 5s);
        (void)b.run(close(server.get()), 5s);
    }
    void connect() {
        const auto inside = Environment::Scope(&a);
        lane = std::make_shared<SimulatedLane>(a.runtime().executor(),
                                               LaneConfig{.peer = server->endpoint(), .hello = {.service = "echo"}});
        lane->start();
    }
    template <class T>
    static Task<void> close(T* what) {
        co_await what->close();
        co_return ok;
    }
    static Task<std::string> ask(SimulatedLane* over, std::string what, Duration within) {
        auto operation = test::call(1, std::move(what));
        co_await over->execute(operation, Deadline(within));
        if (operation.error != Errc::ok) co_return operation.error;
        co_return operation.reply;
    }
    Result<std::string> ask(std::string what, Duration within = 2s) {
        return a.run(ask(lane.get(), std::move(what), within), within + 1s);
    }

    World world{1};
    Network network{world};
    Process a{world, "10.0.0.1", 1}, b{world, "10.0.0.2", 2};
    test::EchoService service;
    std::unique_ptr<Server<SimulatedNetwork>> server;
    std::shared_ptr<SimulatedLane> lane;
};

} // namespace

TEST_CASE("simulated network: real lanes and servers talk over it, in no time of ours and some of theirs") {
    auto hosts = Hosts();
    const auto large = std::string(300'000, 'x');
    CHECK(hosts.ask("hello").value() == "hello");
    hosts.network.config().partial_read = hosts.network.config().partial_write = 0.5;
    CHECK(hosts.ask(large).value() == large);
    CHECK(hosts.world.elapsed() > 100us);
}

TEST_CASE("simulated network: what is blocked waits, and comes when the way is free again") {
    auto hosts = Hosts();
    REQUIRE(hosts.ask("before").has_value());
    hosts.network.block("10.0.0.2", "10.0.0.1");
    CHECK(hosts.ask("lost", 1s).error() == Errc::timed_out);
    hosts.network.heal("10.0.0.2", "10.0.0.1");
    CHECK(hosts.ask("after").value() == "after");
    CHECK_FALSE(hosts.lane->failed());
}

TEST_CASE("simulated network: a process that is paused answers when it goes on, one that is killed never") {
    auto hosts = Hosts();
    REQUIRE(hosts.ask("before").has_value());
    hosts.b.pause();
    CHECK(hosts.ask("patience", 500ms).error() == Errc::timed_out);
    hosts.b.resume();
    CHECK(hosts.ask("there").value() == "there");
}

TEST_CASE("simulated process: its clock may run ahead and faster, and its timers with it") {
    auto world = World(1);
    auto process = Process(world, "10.0.0.1", 1);
    auto sleep = [](Duration length) -> Task<void> {
        auto pause = Event();
        co_await pause.wait(Deadline(length));
        co_return ok;
    };
    process.set_clock(0s, 2);
    REQUIRE(process.run(sleep(10s), 20s).has_value());
    CHECK(world.elapsed() > 4900ms);
    CHECK(world.elapsed() < 5100ms);
    auto over = false;
    process.start(sleep(10s), [&](const Result<void>&) { over = true; });
    world.run_for(1s);
    CHECK_FALSE(over);
    process.set_clock(9s, 1);
    world.run_for(10ms);
    CHECK(over);
}
