// labels: io coroutine concurrent
#include <mooncake/store/hot_reads.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>
#include <mooncake/testing/hot_cache_conformance.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <future>
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

using Fixture = test::EmbeddedFixture;

/// A store, as far as hot reads use one, that counts what it is asked.
struct Counted {
    EmbeddedStore<>* store;
    int gets = 0, checks = 0;

    auto get(std::string_view key, GetOptions options) {
        ++gets;
        return store->get(key, options);
    }
    auto get_range(std::string_view key, std::uint64_t offset, MutableBytes into, RangeOptions options) {
        ++checks;
        CHECK(into.empty());
        return store->get_range(key, offset, into, options);
    }
};

/// A master with a node, and a client that remembers where objects are as long as a lease of them lasts.
struct Cluster {
    explicit Cluster(Duration lease) {
        auto config = MasterServer<>::Config();
        config.parts.lease.ttl = lease;
        master = std::make_unique<MasterServer<>>(runtime, std::move(config));
        master->start();
        auto of_node = StoreNode<>::Config();
        of_node.engine.name = "node";
        of_node.master.rpc.server = master->endpoint();
        of_node.memory = {.bytes = 8 * MiB};
        node = std::make_unique<StoreNode<>>(runtime, std::move(of_node));
        REQUIRE(runtime.run(node->start()).has_value());
        ours = client(1000);
        other = client(0);
    }
    ~Cluster() {
        runtime.run(ours->close());
        runtime.run(other->close());
        runtime.run(node->close());
        runtime.run(master->close());
    }
    std::unique_ptr<ClusterStore> client(std::uint32_t descriptors) {
        auto config = ClusterStore::Config();
        config.master.rpc.server = master->endpoint();
        config.client.cached_descriptors = descriptors;
        return std::make_unique<ClusterStore>(runtime, std::move(config));
    }

    Runtime runtime{{.threads = 2}};
    std::unique_ptr<MasterServer<>> master;
    std::unique_ptr<StoreNode<>> node;
    std::unique_ptr<ClusterStore> ours, other;
};

} // namespace

TEST_CASE("hot reads: what was read is given again, and once it is replaced or removed no more") {
    auto f = Fixture();
    auto counted = Counted{.store = &f.store};
    auto hot = HotReads<Counted, HotCache>(counted);
    const auto first = pattern(300'000, 1), second = pattern(70'000, 2);
    CHECK(f.run(hot.get("k")).error() == Errc::not_found);
    const auto put = f.run(f.store.put("k", first)).value();
    auto told = std::uint64_t{0};
    const auto read = f.run(hot.get("k", {.version_read = &told})).value();
    CHECK(std::ranges::equal(read.bytes(), first));
    CHECK(read.version == put.version);
    CHECK(told == put.version);
    CHECK(counted.gets == 2);
    CHECK(counted.checks == 0);
    told = 0;
    const auto again = f.run(hot.get("k", {.version_read = &told})).value();
    CHECK(again.data == read.data); // the bytes themselves
    CHECK(told == put.version);
    CHECK(counted.gets == 2);
    CHECK(counted.checks == 1);
    CHECK(hot.counts().hits == 1);

    REQUIRE(f.run(f.store.upsert("k", second)).has_value());
    const auto replaced = f.run(hot.get("k")).value();
    CHECK(std::ranges::equal(replaced.bytes(), second));
    CHECK(hot.counts().stale == 1);
    CHECK(std::ranges::equal(read.bytes(), first)); // whoever has the old one keeps it
    CHECK(f.run(hot.get("k")).value().data == replaced.data);

    REQUIRE(f.run(f.store.remove("k", store::RemoveMode::force)).has_value());
    CHECK(f.run(hot.get("k")).error() == Errc::not_found);
    CHECK(hot.bytes() == 0);
    REQUIRE(f.run(f.store.put("k", first)).has_value()); // the same bytes, and another version
    CHECK(std::ranges::equal(f.run(hot.get("k")).value().bytes(), first));
    CHECK(hot.counts().hits == 2);
    CHECK(hot.counts().misses == 3);
}

TEST_CASE("hot reads: without a cache each is a get and no more, and what was not compared is not kept") {
    auto f = Fixture();
    auto counted = Counted{.store = &f.store};
    const auto value = pattern(1000);
    REQUIRE(f.run(f.store.put("k", value)).has_value());
    auto cold = HotReads(counted);
    for (int i = 1; i <= 3; ++i) {
        CHECK(std::ranges::equal(f.run(cold.get("k")).value().bytes(), value));
        CHECK(counted.gets == i);
    }
    CHECK(counted.checks == 0);
    CHECK(cold.counts().misses == 3);
    auto hot = HotReads<Counted, HotCache>(counted);
    REQUIRE(f.run(hot.get("k", {.verify = Verify::never})).has_value());
    CHECK(hot.bytes() == 0);
    REQUIRE(f.run(hot.get("k", {.verify = Verify::unless_leased})).has_value());
    CHECK(hot.bytes() >= 1000);
    hot.forget("k");
    CHECK(hot.bytes() == 0);
    auto least = HotReads<Counted, mooncake::testing::MinimalHotCache>(counted); // of another policy
    const auto read = f.run(least.get("k")).value();
    CHECK(f.run(least.get("k")).value().data == read.data);
}

TEST_CASE("hot reads: under a lease neither the master nor a node is asked") {
    auto c = Cluster(60s);
    auto hot = HotReads<ClusterStore, HotCache>(*c.ours);
    REQUIRE(c.runtime.run(c.other->put("k", pattern(700'000))).has_value());
    const auto read = c.runtime.run(hot.get("k")).value();
    c.runtime.run(c.master->close());
    c.runtime.run(c.node->close());
    const auto again = c.runtime.run(hot.get("k", {.deadline = 5s}));
    REQUIRE_MESSAGE(again.has_value(), again.error().message());
    CHECK(again->data == read.data);
    CHECK(c.runtime.run(hot.get("k", {.deadline = 300ms, .freshness = Freshness::newest})).has_error());
}

TEST_CASE("hot reads: once the lease is over nothing is given unasked") {
    auto c = Cluster(300ms);
    auto hot = HotReads<ClusterStore, HotCache>(*c.ours);
    REQUIRE(c.runtime.run(c.other->put("k", pattern(5000))).has_value());
    REQUIRE(c.runtime.run(hot.get("k")).has_value());
    std::this_thread::sleep_for(300ms);
    c.runtime.run(c.master->close());
    CHECK(c.runtime.run(hot.get("k", {.deadline = 300ms})).has_error());
    CHECK(hot.bytes() >= 5000); // it is there, and nobody knows whether it is current
}

TEST_CASE("hot reads: what another client replaced is seen at once by whoever asks for the newest, and by all in a "
          "lease's time") {
    auto c = Cluster(300ms);
    auto hot = HotReads<ClusterStore, HotCache>(*c.ours), unleased = HotReads<ClusterStore, HotCache>(*c.other);
    const auto first = pattern(5000, 1), second = pattern(6000, 2);
    REQUIRE(c.runtime.run(c.other->put("k", first)).has_value());
    REQUIRE(c.runtime.run(hot.get("k")).has_value());
    REQUIRE(c.runtime.run(unleased.get("k")).has_value());
    REQUIRE(c.runtime.run(c.other->upsert("k", second)).has_value());
    const auto since = SteadyClock{}.now();
    CHECK(std::ranges::equal(c.runtime.run(unleased.get("k")).value().bytes(), second));
    CHECK(std::ranges::equal(c.runtime.run(hot.get("k", {.freshness = Freshness::newest})).value().bytes(), second));
    REQUIRE(c.runtime.run(c.other->upsert("k", first)).has_value());
    std::this_thread::sleep_until(std::max(since, SteadyClock{}.now()) + 300ms);
    CHECK(std::ranges::equal(c.runtime.run(hot.get("k")).value().bytes(), first));
}

namespace {

struct Numbers {
    std::atomic<std::uint32_t> written{0}; ///< the last that is known to be visible
    std::atomic<bool> over{false};
};
Task<void> write(EmbeddedStore<>& store, Numbers& numbers) {
    for (std::uint32_t i = 1; i <= 2000; ++i) {
        const auto value = std::vector<std::uint32_t>(64, i);
        const auto done = co_await store.upsert("k", std::as_bytes(std::span(value)));
        if (!done) co_return done.error();
        numbers.written = i;
    }
    co_return ok;
}
Task<void> read(HotReads<EmbeddedStore<>, HotCache>& hot, Numbers& numbers) {
    while (!numbers.over) {
        const auto at_least = numbers.written.load();
        const auto got = co_await hot.get("k");
        if (!got && got.error() == Errc::not_found && at_least == 0) continue;
        if (!got) co_return got.error();
        auto number = std::uint32_t{0};
        std::memcpy(&number, got->bytes().data(), sizeof number);
        if (number < at_least)
            co_return Error(Errc::conflict,
                            "read " + std::to_string(number) + " after " + std::to_string(at_least) + " was written");
    }
    co_return ok;
}

} // namespace

TEST_CASE("hot reads: what was written before a read is never older than what it gives, with and without descriptors") {
    for (const auto descriptors : {0U, 1000U}) {
        CAPTURE(descriptors);
        auto runtime = Runtime({.threads = 2});
        auto config = Fixture::config(16 * MiB);
        config.client.cached_descriptors = descriptors;
        auto store = EmbeddedStore<>(runtime, std::move(config));
        auto hot = HotReads<EmbeddedStore<>, HotCache>(store);
        auto numbers = Numbers();
        auto reading =
            std::async(std::launch::async, [&] { return sync_wait(runtime.executor(1), read(hot, numbers)); });
        const auto written = sync_wait(runtime.executor(0), write(store, numbers));
        numbers.over = true;
        const auto right = reading.get();
        CHECK_MESSAGE(written.has_value(), written.error().message());
        CHECK_MESSAGE(right.has_value(), right.error().message());
        const auto last = sync_wait(runtime.executor(0), hot.get("k")).value();
        auto number = std::uint32_t{0};
        std::memcpy(&number, last.bytes().data(), sizeof number);
        CHECK(number == 2000);
        CHECK(sync_wait(runtime.executor(0), hot.get("k")).value().data == last.data);
    }
}
