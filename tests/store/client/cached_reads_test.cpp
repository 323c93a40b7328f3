// labels: io coroutine concurrent
// Reads of what a client knows under a lease: `ClientConfig::cached_descriptors`.
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include "store/all_calls.hpp"
#include "store/embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using mooncake::test::pattern;

namespace {

/// A master, nodes, a client that remembers, and another one that does not.
struct Cluster {
    explicit Cluster(Duration lease = 60s, unsigned nodes = 1) {
        auto config = MasterServer<>::Config();
        config.parts.lease.ttl = lease;
        master = std::make_unique<MasterServer<>>(runtime, std::move(config));
        master->start();
        for (unsigned i = 0; i < nodes; ++i) add(i);
        ours = client(1000);
        other = client(0);
    }
    ~Cluster() {
        runtime.run(ours->close());
        runtime.run(other->close());
        for (auto& node : nodes_) runtime.run(node->close());
        runtime.run(master->close());
    }
    void add(unsigned number) {
        auto config = StoreNode<>::Config();
        config.engine.name = "node-" + std::to_string(number);
        config.master.rpc.server = master->endpoint();
        config.memory = {.bytes = 8 * MiB};
        nodes_.push_back(std::make_unique<StoreNode<>>(runtime, std::move(config)));
        REQUIRE(runtime.run(nodes_.back()->start()).has_value());
    }
    std::unique_ptr<ClusterStore> client(std::uint32_t descriptors) {
        auto config = ClusterStore::Config();
        config.master.rpc.server = master->endpoint();
        config.client.cached_descriptors = descriptors;
        return std::make_unique<ClusterStore>(runtime, std::move(config));
    }
    template <class T>
    Result<T> run(Task<T> task) {
        return runtime.run(std::move(task));
    }

    Runtime runtime{{.threads = 2}};
    std::unique_ptr<MasterServer<>> master;
    std::vector<std::unique_ptr<StoreNode<>>> nodes_;
    std::unique_ptr<ClusterStore> ours, other;
};

/// The same in one process.
struct Embedded {
    explicit Embedded(std::uint64_t capacity = 16 * MiB, std::uint32_t descriptors = 1000)
        : store(runtime, config(capacity, descriptors)) {}
    static EmbeddedStore<>::Config config(std::uint64_t capacity, std::uint32_t descriptors) {
        auto config = test::EmbeddedFixture::config(capacity);
        config.client.cached_descriptors = descriptors;
        return config;
    }
    template <class T>
    Result<T> run(Task<T> task) {
        return runtime.run(std::move(task));
    }
    std::uint64_t leases() { return run(store.statistics()).value().leases; }

    Runtime runtime{{.threads = 2}};
    EmbeddedStore<> store;
};

template <class Condition>
bool eventually(Condition condition) {
    for (const auto until = Deadline(10s); !until.passed(); std::this_thread::sleep_for(1ms))
        if (condition()) return true;
    return false;
}

} // namespace

TEST_CASE("cached reads: every way to read goes on without a master, of what was read before") {
    auto c = Cluster();
    const auto value = pattern(700'000);
    REQUIRE(c.run(c.ours->put("k", value)).has_value());
    REQUIRE(c.run(c.ours->put("unread", value)).has_value());
    CHECK(c.run(c.ours->get("k")).value() == value);
    CHECK(c.run(c.other->get("k")).value() == value);
    c.runtime.run(c.master->close());

    CHECK(c.run(c.ours->get("k")).value() == value);
    CHECK(c.run(c.ours->get("k", {.verify = Verify::never})).value() == value);
    auto into = std::vector<std::byte>(800'000);
    CHECK(c.run(c.ours->get_into("k", into, {.verify = Verify::unless_leased})).value() == value.size());
    CHECK(std::equal(value.begin(), value.end(), into.begin()));
    auto part = std::vector<std::byte>(100);
    CHECK(c.run(c.ours->get_range("k", 300'000, part)).value() == value.size());
    CHECK(std::equal(part.begin(), part.end(), value.begin() + 300'000));
    auto rest = std::vector<std::byte>(700'000);
    const auto pieces = std::vector<MutableBytes>{part, rest};
    CHECK(c.run(c.ours->get_scattered("k", pieces, {.verify = Verify::always})).value() == value.size());
    CHECK(std::equal(rest.begin(), rest.end() - 100, value.begin() + 100));
    const auto items = std::vector<GetItem>{{.key = "k", .into = into}, {.key = "k", .into = part}};
    const auto batch = c.run(c.ours->get_batch(items)).value();
    CHECK(batch.outcomes == std::vector{Errc::ok, Errc::too_large});
    CHECK(batch.versions[0] != 0);
    const auto view = c.run(c.ours->view("k")).value();
    CHECK(view.zero_copy());
    CHECK(view.valid());
    CHECK(std::ranges::equal(view.bytes(), value));
    // What the sentences say, they say of what is known.
    CHECK(c.run(c.ours->get_into("k", part)).error().context() ==
          "object 'k': it has 700000 bytes, and the memory for it 100");
    CHECK(c.run(c.ours->get_range("k", 700'000, part)).error() == Errc::out_of_range);

    const auto soon = Deadline(300ms);
    CHECK(c.run(c.ours->get("unread", {.deadline = soon})).has_error());
    CHECK(c.run(c.ours->get("k", {.deadline = soon, .freshness = Freshness::newest})).has_error());
    CHECK(c.run(c.ours->view("k", {.deadline = soon, .freshness = Freshness::newest})).has_error());
    CHECK(c.run(c.ours->get_range("k", 0, part, {.deadline = soon, .freshness = Freshness::newest})).has_error());
    CHECK(c.run(c.ours->get_batch(items, {.deadline = soon, .freshness = Freshness::newest})).has_error());
    CHECK(c.run(c.other->get("k", {.deadline = soon})).has_error());
}

TEST_CASE("cached reads: a client reads what it wrote, whichever way it wrote, and what it removed is gone") {
    auto e = Embedded();
    REQUIRE(e.run(e.store.put("k", pattern(100, 1))).has_value());
    const auto read = [&] { return e.run(e.store.get("k")).value(); };
    CHECK(read() == pattern(100, 1));
    CHECK(e.leases() == 1);
    REQUIRE(e.run(e.store.upsert("k", pattern(100, 2))).has_value());
    CHECK(read() == pattern(100, 2));
    const auto version = e.run(e.store.view("k")).value().version();
    const auto compared = e.run(e.store.compare_and_put("k", version, pattern(200, 3))).value();
    CHECK(read() == pattern(200, 3));
    const auto other = pattern(50, 4);
    const auto item = PutItem{.key = "k", .value = other};
    REQUIRE(e.run(e.store.put_batch(std::span(&item, 1), {.mode = WriteMode::upsert})).has_value());
    CHECK(read() == other);
    const auto pieces = std::vector<ConstBytes>{other, other};
    REQUIRE(e.run(e.store.put_gathered("k", pieces, {.mode = WriteMode::upsert})).has_value());
    CHECK(read().size() == 100);
    CHECK(e.run(e.store.compare_and_put("k", compared.version, other)).error() == Errc::conflict);
    CHECK(read().size() == 100);
    // Our own leases stand in nobody's way: nothing is forced here.
    REQUIRE(e.run(e.store.remove("k")).has_value());
    CHECK(e.run(e.store.get("k")).error() == Errc::not_found);
    CHECK(e.leases() == 0);

    REQUIRE(e.run(e.store.put("k", other)).has_value());
    CHECK(read() == other);
    CHECK(e.run(e.store.remove_prefix("k")).value().removed == 1);
    CHECK(e.run(e.store.get("k")).error() == Errc::not_found);
    REQUIRE(e.run(e.store.put("k", other)).has_value());
    CHECK(read() == other);
    CHECK(e.run(e.store.remove_matching("?")).value().removed == 1);
    CHECK(e.run(e.store.view("k")).error() == Errc::not_found);
}

TEST_CASE("cached reads: what is looked at is in use, and what others read goes on") {
    auto e = Embedded();
    const auto value = pattern(100);
    REQUIRE(e.run(e.store.put("k", value)).has_value());
    CHECK(e.run(e.store.get("k")).value() == value);
    auto view = e.run(e.store.view("k")).value(); // under the lease that is kept
    CHECK(e.leases() == 1);
    CHECK(e.run(e.store.remove("k")).error() == Errc::conflict);
    CHECK(e.run(e.store.remove_prefix("k")).value().in_use == 1);
    CHECK(view.valid());
    CHECK(std::ranges::equal(view.bytes(), value));
    view = View();
    CHECK(eventually([&] { return e.leases() == 0; })); // it was forgotten when it was to be removed
    CHECK(e.run(e.store.remove("k")).has_value());
}

TEST_CASE("cached reads: what another client replaces is read as it was until the lease ends, and no longer") {
    auto c = Cluster(600ms);
    REQUIRE(c.run(c.other->put("k", pattern(100, 1))).has_value());
    const auto asked = SteadyClock{}.now();
    CHECK(c.run(c.ours->get("k")).value() == pattern(100, 1));
    REQUIRE(c.run(c.other->upsert("k", pattern(100, 2))).has_value());
    const auto early = c.run(c.ours->get("k")).value();
    if (SteadyClock{}.now() < asked + 500ms) CHECK(early == pattern(100, 1));
    CHECK(c.run(c.ours->get("k", {.freshness = Freshness::newest})).value() == pattern(100, 2));
    CHECK(c.run(c.ours->get("k")).value() == pattern(100, 2)); // what it has heard of

    // However often it is read, and whatever is renewed meanwhile.
    const auto began = SteadyClock{}.now();
    auto view = c.run(c.ours->view("k")).value();
    REQUIRE(c.run(c.other->upsert("k", pattern(100, 3))).has_value());
    auto seen_after = Duration();
    for (auto value = pattern(100, 2); value != pattern(100, 3); seen_after = SteadyClock{}.now() - began) {
        value = c.run(c.ours->get("k")).value();
        REQUIRE((value == pattern(100, 2) || value == pattern(100, 3)));
        REQUIRE(SteadyClock{}.now() - began < 10s);
        std::this_thread::sleep_for(1ms);
    }
    CHECK(seen_after < 5s);
    std::this_thread::sleep_for(700ms);
    CHECK(view.valid()); // the view's was renewed
    CHECK(std::ranges::equal(view.bytes(), pattern(100, 2)));
}

TEST_CASE("cached reads: when its node is gone, the master says where else it is") {
    auto c = Cluster(60s, 2);
    const auto value = pattern(100'000);
    REQUIRE(c.run(c.ours->put("k", value)).has_value());
    CHECK(c.run(c.ours->get("k")).value() == value);
    const auto first = c.master->master().handle(store::Get{.keys = {"k"}}).value().objects[0].replicas[0].segment;
    const auto segments = c.master->master().handle(store::Segments{.segments = {first}}).value().segments;
    const auto dead = segments.at(0).name == "node-0" ? 0U : 1U;
    c.runtime.run(c.nodes_[dead]->close()); // unmounts: the object is lost
    CHECK(c.run(c.ours->get("k")).error() == Errc::lost);
    REQUIRE(c.run(c.other->put("k", pattern(100'000, 2))).has_value());
    CHECK(c.run(c.ours->get("k")).value() == pattern(100'000, 2));
    CHECK(c.run(c.ours->view("k")).value().size() == 100'000);
}

TEST_CASE("cached reads: leases that the caller is told of are read under until he ends them") {
    auto c = Cluster();
    REQUIRE(c.run(c.ours->put("k", pattern(100, 1))).has_value());
    const auto key = std::string_view("k");
    const auto lease = c.run(c.ours->lease_batch(std::span(&key, 1))).value().lease;
    REQUIRE(c.run(c.other->upsert("k", pattern(100, 2))).has_value());
    CHECK(c.run(c.ours->get("k")).value() == pattern(100, 1)); // which no asking gives
    CHECK(c.run(c.ours->get("k", {.verify = Verify::unless_leased})).value() == pattern(100, 1));
    CHECK(c.run(c.ours->view("k")).value().version() != 0); // a view has a lease of its own
    REQUIRE(c.run(c.ours->release(lease.id)).has_value());
    CHECK(c.run(c.ours->get("k")).value() == pattern(100, 2));

    auto into = std::vector<std::byte>(100);
    const auto item = GetItem{.key = "k", .into = into};
    const auto got = c.run(c.ours->get_batch(std::span(&item, 1), {.lease = LeaseWish::grant})).value();
    REQUIRE(got.lease);
    REQUIRE(c.run(c.other->release(got.lease.id)).has_value()); // it was handed over
    CHECK(c.run(c.ours->get("k")).value() == pattern(100, 2));
}

TEST_CASE("cached reads: one lease of many keys ends with the last of them, and is in nobody's way") {
    auto e = Embedded();
    auto into = std::vector<std::vector<std::byte>>(50, std::vector<std::byte>(10));
    auto names = std::vector<std::string>();
    for (auto i = 0; i < 50; ++i) names.push_back("k" + std::to_string(i));
    auto items = std::vector<GetItem>();
    for (auto i = 0U; i < 50; ++i) {
        REQUIRE(e.run(e.store.put(names[i], pattern(10, i))).has_value());
        items.push_back({.key = names[i], .into = into[i]});
    }
    CHECK(e.run(e.store.get_batch(items)).value().outcomes == std::vector(50, Errc::ok));
    CHECK(e.leases() == 1);
    CHECK(e.run(e.store.get_batch(items)).value().outcomes == std::vector(50, Errc::ok));
    CHECK(e.leases() == 1);
    for (auto i = 0U; i < 50; ++i) CHECK(into[i] == pattern(10, i));
    CHECK(e.run(e.store.remove("k7")).has_value());
    CHECK(e.leases() == 0);
    const auto report = e.run(e.store.get_batch(items)).value();
    CHECK(report.outcomes[7] == Errc::not_found);
    CHECK(std::count(report.outcomes.begin(), report.outcomes.end(), Errc::ok) == 49);
}

TEST_CASE("cached reads: what a client leases itself gives way to what it puts") {
    auto e = Embedded(1 * MiB);
    for (auto i = 0; i < 40; ++i) { // far more than there is room for
        const auto key = "k" + std::to_string(i);
        REQUIRE(e.run(e.store.put(key, pattern(200'000, 1))).has_value());
        CHECK(e.run(e.store.get(key)).value() == pattern(200'000, 1));
    }
}

TEST_CASE("cached reads: every call without time is timed_out, of a closed one closed, and it leaves no lease behind") {
    auto c = Cluster();
    REQUIRE(c.run(c.ours->put("k", bytes_of("value"))).has_value());
    REQUIRE(c.run(c.ours->get("k")).has_value());
    test::every_call_fails(c.runtime, *c.ours, Errc::timed_out, Deadline(SteadyClock{}.now()));
    REQUIRE(c.run(c.ours->get("k")).has_value());
    CHECK(c.run(c.other->statistics()).value().leases > 0);
    c.runtime.run(c.ours->close());
    test::every_call_fails(c.runtime, *c.ours, Errc::closed, Deadline(10s));
    CHECK(c.run(c.other->statistics()).value().leases == 0);
}

TEST_CASE("cached reads: more descriptors than can be is an error that says how many can") {
    auto runtime = Runtime();
    auto config = Embedded::config(1 * MiB, ClientConfig::most_cached_descriptors + 1);
    try {
        const auto store = EmbeddedStore<>(runtime, std::move(config));
        FAIL("it was made");
    } catch (const boost::system::system_error& e) {
        CHECK(std::string_view(e.what()).find("cached_descriptors is 1048577; give at most 1048576") !=
              std::string_view::npos);
    }
}

namespace {

/// Writes the key's number over and over; reads it back each time: never anything older.
Task<void> write_and_read(ClusterStore& store, std::string key, int times) {
    for (auto i = 0; i < times; ++i) {
        const auto value = std::vector<std::byte>(300'000, static_cast<std::byte>(i));
        const auto put = co_await store.upsert(key, value, {.deadline = 20s});
        if (!put) co_return put.error();
        const auto got = co_await store.get(key, {.deadline = 20s, .verify = Verify::unless_leased});
        if (!got) co_return got.error();
        if (*got != value) co_return Error(Errc::corrupt, "it read something else than it wrote");
    }
    co_return ok;
}
Task<void> read_whole(ClusterStore& store, std::string key, int times) {
    for (auto i = 0; i < times; ++i) {
        auto options = GetOptions{.deadline = 20s};
        if (i % 2 == 0) options.verify = Verify::unless_leased;
        const auto got = co_await store.get(key, options);
        if (got.error() == Errc::not_found) continue;
        if (!got) co_return got.error();
        const auto torn = std::any_of(got->begin(), got->end(), [&](std::byte b) { return b != got->front(); });
        if (torn) co_return Error(Errc::corrupt, "it is parts of two");
        const auto view = co_await store.view(key, {.deadline = 20s});
        if (!view) co_return view.error();
        const auto bytes = view->bytes();
        const auto mixed = std::any_of(bytes.begin(), bytes.end(), [&](std::byte b) { return b != bytes.front(); });
        if (mixed && view->valid()) co_return Error(Errc::corrupt, "a valid view is of parts of two");
    }
    co_return ok;
}

} // namespace

TEST_CASE("cached reads: while they race writes of ours and of others, none is torn, and ours are read back") {
    auto c = Cluster(50ms);
    auto tasks = std::vector<Task<void>>();
    tasks.push_back(write_and_read(*c.ours, "ours", 100));
    tasks.push_back(read_whole(*c.ours, "ours", 100));
    tasks.push_back(write_and_read(*c.other, "theirs", 100));
    tasks.push_back(read_whole(*c.ours, "theirs", 200));
    const auto done = c.run(all_or_cancel(std::move(tasks)));
    CHECK_MESSAGE(done.has_value(), done.error().message());
}
