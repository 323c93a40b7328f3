// labels: io coroutine
#include <mooncake/store/store.hpp>

#include "all_calls.hpp"
#include "cluster_fixture.hpp"
#include "net/echo.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;

using mooncake::test::Cluster;

TEST_CASE("cluster store: the same calls as embedded, over a master and nodes") {
    auto c = Cluster(2);
    const auto value = std::vector<std::byte>(700'000, std::byte{5});
    const auto put = c.runtime.run(c.store->put("k", value, {.replicas = 2}));
    REQUIRE(put.has_value());
    CHECK(put->replicas == 2);
    const auto got = c.runtime.run(c.store->get("k"));
    REQUIRE(got.has_value());
    CHECK(*got == value);
    const auto view = c.runtime.run(c.store->view("k"));
    REQUIRE(view.has_value());
    CHECK(view->zero_copy());
    CHECK(view->size() == value.size());
    auto tail = std::vector<std::byte>(100'000);
    CHECK(c.runtime.run(c.store->get_range("k", 600'000, tail, {.verify = Verify::always})).has_value());
    CHECK(std::equal(tail.begin(), tail.end(), value.begin()));
    const auto pages = std::vector<ConstBytes>{ConstBytes(value).first(5), ConstBytes(value).subspan(5)};
    const auto gathered = c.runtime.run(c.store->put_gathered("k", pages, {.replicas = 2, .mode = WriteMode::upsert}));
    REQUIRE(gathered.has_value());
    CHECK(gathered->version > put->version);
    CHECK(c.runtime.run(c.store->get("k")).value() == value);
    const auto statistics = c.runtime.run(c.store->statistics());
    REQUIRE(statistics.has_value());
    CHECK(statistics->segments == 2);
    CHECK(statistics->objects == 1);
}

TEST_CASE("cluster store: a get goes to the next replica when a node is gone") {
    auto c = Cluster(2);
    const auto value = std::vector<std::byte>(100'000, std::byte{6});
    for (auto i = 0; i < 8; ++i)
        REQUIRE(c.runtime.run(c.store->put("k" + std::to_string(i), value, {.replicas = 2})).has_value());
    // The engine goes and the heartbeats stay, so that the master still names the dead replica.
    auto& engine = c.nodes.front()->engine();
    c.runtime.run(engine.close());
    for (auto i = 0; i < 8; ++i) {
        const auto got = c.runtime.run(c.store->get("k" + std::to_string(i), {.deadline = 10s}));
        REQUIRE(got.has_value());
        CHECK(*got == value);
        auto into = std::vector<std::byte>(1000);
        const auto part = c.runtime.run(c.store->get_range("k" + std::to_string(i), 50'000, into, {.deadline = 10s}));
        REQUIRE(part.has_value());
        CHECK(std::equal(into.begin(), into.end(), value.begin()));
    }
}

TEST_CASE("cluster store: every call without time is timed_out, and every call of a closed one is closed") {
    auto c = Cluster(1);
    REQUIRE(c.runtime.run(c.store->put("k", bytes_of("value"))).has_value());
    test::every_call_fails(c.runtime, *c.store, Errc::timed_out, Deadline(SteadyClock{}.now()));
    CHECK(c.runtime.run(c.store->exists("k")).has_value());
    c.runtime.run(c.store->close());
    test::every_call_fails(c.runtime, *c.store, Errc::closed, Deadline(10s));
}

TEST_CASE("cluster store: what only a dead node held is lost with it, and the sentence says so, until it is put anew") {
    auto c = Cluster(1);
    REQUIRE(c.runtime.run(c.store->put("k", bytes_of("value"))).has_value());
    c.runtime.run(c.nodes.front()->close());
    const auto got = c.runtime.run(c.store->get("k"));
    REQUIRE(!got);
    CHECK(got.error() == Errc::lost);     // it unmounted
    REQUIRE(c.add("node-0").has_value()); // another generation under the same name
    CHECK(c.runtime.run(c.store->get("k")).error() == Errc::lost);
    REQUIRE(c.runtime.run(c.store->put("k", bytes_of("again"))).has_value());
    const auto again = c.runtime.run(c.store->get("k"));
    REQUIRE(again.has_value());
    CHECK(text_of(*again) == "again");
}

TEST_CASE("cluster store: a node that its master no longer knows comes back, and is used again") {
    auto c = Cluster(1);
    REQUIRE(c.runtime.run(c.store->put("before", bytes_of("value"))).has_value());
    const auto generation = c.nodes.front()->engine().generation();
    const auto there = c.master->master().handle(store::Segments{}).value().segments;
    REQUIRE(there.size() == 1);
    // As if it had been silent for too long.
    REQUIRE(
        c.master->master().handle(store::Unmount{.segment = there[0].segment, .generation = generation}).has_value());
    auto stored = Result<PutReceipt>(Errc::no_space);
    for (const auto until = Deadline(10s); !stored && !until.passed();)
        stored = c.runtime.run(c.store->put("after", bytes_of("value"), {.deadline = 1s}));
    REQUIRE(stored.has_value());
    CHECK(c.runtime.run(c.store->get("after")).has_value());
    CHECK(c.runtime.run(c.store->get("before")).error() == Errc::lost);
    CHECK(c.master->master().handle(store::Segments{}).value().segments.at(0).generation != generation);
}

TEST_CASE("cluster store: a node that cannot have the memory it is to lend says so, and is none") {
    auto c = Cluster(0);
    auto config = StoreNode<>::Config();
    config.engine.name = "greedy";
    config.master.rpc.server = c.master->endpoint();
    config.memory = {.bytes = std::uint64_t{1} << 50};
    auto node = StoreNode<>(c.runtime, std::move(config));
    const auto refused = c.runtime.run(node.start());
    CHECK(refused.error() == Errc::out_of_memory);
    CHECK(refused.error().message().find("was asked for") != std::string::npos);
    CHECK(c.master->master().handle(store::Segments{}).value().segments.empty());
    c.runtime.run(node.close());
}

TEST_CASE("cluster store: a second node of the same name is refused while the first is alive") {
    auto c = Cluster(1);
    const auto refused = c.add("node-0");
    REQUIRE(!refused);
    CHECK(refused.error() == Errc::conflict);
    CHECK(refused.error().context().find("node-0") != std::string_view::npos);
}

TEST_CASE("cluster store: a master that takes a call and does not answer is given up in the time that is set for it") {
    auto runtime = Runtime({.threads = 1});
    auto silent = test::SilentServer();
    auto greeter = std::jthread([&] {
        auto peer = test::RawPeer(silent.acceptor);
        auto header = FrameHeader();
        header.kind = FrameKind::reply;
        if (peer.listen()) peer.say(test::frame(header));
        while (peer.listen()) continue;
    });
    auto master = RemoteMaster<>(runtime, {.rpc = {.server = silent.endpoint()}, .answer_within = 200ms});
    const auto begun = SteadyClock{}.now();
    CHECK(runtime.run(master.call(store::Stats(), Deadline())).error() == Errc::timed_out);
    CHECK(SteadyClock{}.now() - begun < 2s);
    // Whoever says how long he has is taken at his word.
    const auto begun_again = SteadyClock{}.now();
    CHECK(runtime.run(master.call(store::Stats(), Deadline(600ms))).error() == Errc::timed_out);
    CHECK(SteadyClock{}.now() - begun_again >= 500ms);
    runtime.run(master.close());
}

TEST_CASE("cluster store: opening one that is cancelled meanwhile leaves nothing behind, whoever spawned it") {
    auto silent = test::SilentServer();
    auto greeter = std::jthread([&] {
        auto peer = test::RawPeer(silent.acceptor);
        while (peer.listen()) continue; // a master that says nothing at all
    });
    auto runtime = Runtime({.threads = 1});
    auto open = [](Runtime* on, Endpoint at) -> Task<void> {
        auto config = ClusterStore::Config();
        config.master.rpc.server = std::move(at);
        const auto store = co_await ClusterStore::open(*on, std::move(config));
        co_return store.error();
    };
    auto stop = asio::cancellation_signal();
    auto over = std::promise<void>();
    // Asio's own `co_spawn`, in which a cancellation is thrown.
    asio::co_spawn(runtime.executor(), open(&runtime, silent.endpoint()),
                   asio::bind_cancellation_slot(
                       stop.slot(), [&](const std::exception_ptr&, const Result<void>&) { over.set_value(); }));
    std::this_thread::sleep_for(50ms);
    asio::post(runtime.executor(), [&stop] { stop.emit(asio::cancellation_type::terminal); });
    CHECK(over.get_future().wait_for(10s) == std::future_status::ready);
}

TEST_CASE("cluster store: an older master, which would not look at a put's mode, is asked for no replacement") {
    auto runtime = Runtime();
    auto service = RpcService();
    service.on<store::Describe>([](store::Describe&) -> Result<store::DescribeReply> {
        return store::DescribeReply{.wire_version = wire_version, .max_keys = 10, .max_write_deadline_ms = 1'000};
    });
    auto server = Server<PlainTcp>(runtime, service, ServerConfig());
    server.start();
    auto config = ClusterStore::Config();
    config.master.rpc.server = server.endpoint();
    auto store = ClusterStore(runtime, std::move(config));
    const auto value = std::vector<std::byte>(10);
    const auto upsert = runtime.run(store.upsert("k", value));
    REQUIRE(upsert.has_error());
    CHECK(upsert.error() == Errc::not_supported);
    CHECK(upsert.error().message().find("upgrade the master") != std::string::npos);
    CHECK(runtime.run(store.compare_and_put("k", 1, value)).error() == Errc::not_supported);
    CHECK(runtime.run(store.put("k", value)).error() == Errc::unknown_method); // that one it is asked
    runtime.run(store.close());
    runtime.run(server.close());
}

TEST_CASE("cluster store: a master that is not there is a clear error, not a hang") {
    auto runtime = Runtime({.threads = 1});
    auto config = ClusterStore::Config();
    config.master.rpc.server = {"127.0.0.1", 1};
    auto message = std::string();
    try {
        auto store = ClusterStore(runtime, std::move(config));
    } catch (const boost::system::system_error& error) {
        message = error.what();
    }
    CHECK(message.find("127.0.0.1:1") != std::string::npos);
}
