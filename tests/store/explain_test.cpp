// labels: io coroutine
#include <mooncake/store/explain.hpp>
#include <mooncake/store/journal/event_ring.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace mooncake;

namespace {

struct Remembering : DefaultMasterTraits {
    using Journal = EventRing;
};

struct Cluster {
    explicit Cluster(std::size_t events = 1000) {
        auto config = MasterServer<Remembering>::Config();
        config.parts.journal = EventRing(events);
        master = std::make_unique<MasterServer<Remembering>>(runtime, std::move(config));
        master->start();
        for (const auto* name : {"left", "right"}) {
            auto node = StoreNode<>::Config();
            node.engine.name = name;
            node.master.rpc.server = master->endpoint();
            node.memory = {.bytes = 1 * MiB};
            node.host = std::string("host of ") + name;
            nodes.push_back(std::make_unique<StoreNode<>>(runtime, std::move(node)));
            REQUIRE(runtime.run(nodes.back()->start()).has_value());
        }
        auto config_of_store = ClusterStore::Config();
        config_of_store.master.rpc.server = master->endpoint();
        store = std::make_unique<ClusterStore>(runtime, std::move(config_of_store));
    }
    ~Cluster() {
        runtime.run(store->close());
        for (auto& node : nodes) runtime.run(node->close());
        runtime.run(master->close());
    }
    Explanation of(std::string key) { return runtime.run(explain(store.get(), std::move(key))).value(); }
    void put(const std::string& key, std::size_t bytes, PutOptions options = {}) {
        REQUIRE(runtime.run(store->put(key, test::pattern(bytes), options)).has_value());
    }

    Runtime runtime{{.threads = 2}};
    std::unique_ptr<MasterServer<Remembering>> master;
    std::vector<std::unique_ptr<StoreNode<>>> nodes;
    std::unique_ptr<ClusterStore> store;
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("explain: tells where an object is, how its replicas are reached, and what happened to it") {
    auto c = Cluster();
    c.put("k", 1000, {.replicas = 2});
    c.put("k", 2000, {.replicas = 2, .mode = WriteMode::upsert});
    const auto all = c.of("k");
    CHECK(all.outcome == Errc::ok);
    CHECK(all.size == 2000);
    REQUIRE(all.replicas.size() == 2);
    for (const auto& replica : all.replicas) {
        CHECK(replica.segment.host == "host of " + replica.segment.name);
        CHECK(
            std::ranges::any_of(replica.ways, [](const PathProbe& way) { return way.round_trip > Duration::zero(); }));
    }
    REQUIRE(all.history.size() == 2);
    CHECK(all.history[1].version == all.version);
    CHECK(all.memory == Explanation::Memory::all);
    const auto text = all.text();
    CHECK(has(text, "object 'k': 2000 bytes, version " + std::to_string(all.version) + ", 2 replicas\n"));
    CHECK(has(text, "'left' on 'host of left' at offset "));
    CHECK(has(text, "answers in "));
    CHECK(has(text, "event 2 of 2: version " + std::to_string(all.version) + " was stored\n"));
    CHECK(has(text, " let 0 objects go\n"));
    CHECK(c.runtime.run(c.store->statistics()).value().leases == 0); // it holds nothing
}

TEST_CASE("explain: tells why an object is gone, as far as the master remembers") {
    auto c = Cluster();
    CHECK(has(c.of("k").text(), "object 'k': not there, and it never was since the master began"));
    c.put("k", 1000);
    REQUIRE(c.runtime.run(c.store->remove("k")).has_value());
    const auto removed = c.of("k");
    CHECK(removed.outcome == Errc::not_found);
    CHECK(removed.replicas.empty());
    CHECK(has(removed.text(), "object 'k': not there: it was removed, as somebody wished\n"));
    c.put("first", 300'000);
    for (auto i = 0; i < 20; ++i) c.put("more-" + std::to_string(i), 300'000);
    CHECK(has(c.of("first").text(), "object 'first': not there: it was evicted, for want of space\n"));
    c.put("on one", 10);
    for (auto& node : c.nodes) c.runtime.run(node->close());
    const auto lost = c.of("on one");
    CHECK(lost.outcome == Errc::lost);
    CHECK(has(lost.text(), "object 'on one': not there: it was lost with its last replica\n"));
}

TEST_CASE("explain: says so where the master forgot, or keeps no events at all") {
    auto c = Cluster(2);
    c.put("k", 10);
    for (auto i = 0; i < 5; ++i) c.put("more-" + std::to_string(i), 10);
    const auto forgotten = c.of("k");
    CHECK(forgotten.outcome == Errc::ok);
    CHECK(forgotten.memory == Explanation::Memory::some);
    CHECK(has(forgotten.text(), "older events are forgotten"));
    CHECK(has(c.of("never").text(), "the master does not remember it"));

    auto f = test::EmbeddedFixture();
    REQUIRE(f.run(f.store.put("k", bytes_of("value"))).has_value());
    const auto embedded = f.run(explain(&f.store, "k")).value();
    CHECK(embedded.memory == Explanation::Memory::none);
    REQUIRE(embedded.replicas.size() == 1);
    CHECK_FALSE(embedded.replicas[0].segment.name.empty());
    CHECK(has(embedded.text(), "the master keeps no events"));
}

TEST_CASE("explain: without time it is timed_out, and of a closed store closed") {
    auto f = test::EmbeddedFixture();
    CHECK(f.run(explain(&f.store, "k", Deadline(SteadyClock{}.now()))).error() == Errc::timed_out);
    f.runtime.run(f.store.close());
    CHECK(f.run(explain(&f.store, "k")).error() == Errc::closed);
}

TEST_CASE("explain: what happened to a tenant's object is told whole, whatever others did before and since") {
    auto c = Cluster();
    for (auto i = 0; i < 20; ++i) c.put("others " + std::to_string(i), 10);
    auto config = ClusterStore::Config();
    config.master.rpc.server = c.master->endpoint();
    config.client.tenant = "a";
    auto store = ClusterStore(c.runtime, std::move(config));
    REQUIRE(c.runtime.run(store.put("k", test::pattern(100))).has_value());
    c.put("k", 10); // nobody's
    auto asked = explain(&store, "k");
    const auto all = c.runtime.run(std::move(asked)).value();
    CHECK(all.outcome == Errc::ok);
    CHECK(all.memory == Explanation::Memory::all);
    REQUIRE(all.history.size() == 1);
    CHECK(all.history[0].key == "k");
    CHECK(all.history[0].size == 100);
    CHECK(c.of("k").history.size() == 1);
    c.runtime.run(store.close());
}
