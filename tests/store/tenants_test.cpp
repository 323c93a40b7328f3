// labels: io coroutine concurrent
#include <mooncake/store/explain.hpp>
#include <mooncake/store/journal/event_ring.hpp>
#include <mooncake/store/store.hpp>

#include "cluster_fixture.hpp"
#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using mooncake::test::Cluster;
using mooncake::test::pattern;

namespace {

std::unique_ptr<ClusterStore> store_of(Cluster& c, std::string tenant, std::uint32_t cached = 0) {
    auto config = ClusterStore::Config();
    config.master.rpc.server = c.master->endpoint();
    config.client.tenant = std::move(tenant);
    config.client.cached_descriptors = cached;
    return std::make_unique<ClusterStore>(c.runtime, std::move(config));
}
store::TenantInfo info(Cluster& c, std::string_view tenant) {
    auto all = c.runtime.run(c.store->tenants()).value();
    for (auto& one : all)
        if (one.tenant == tenant) return one;
    return {};
}

} // namespace

TEST_CASE("tenants: two read, replace, list and remove the same keys without a trace of each other") {
    auto c = Cluster(1);
    const auto a = store_of(c, "a"), b = store_of(c, "b");
    const auto run = [&](auto task) { return c.runtime.run(std::move(task)); };
    REQUIRE(run(a->put("k", bytes_of("of a"))).has_value());
    CHECK(run(b->get("k")).error() == Errc::not_found);
    CHECK(run(b->get("k")).error().context() == "object 'k' of tenant b: " + explain(Errc::not_found));
    CHECK(run(c.store->get("k")).error() == Errc::not_found);
    REQUIRE(run(b->put("k", bytes_of("of b"))).value().stored());
    REQUIRE(run(c.store->put("k", bytes_of("of nobody"))).value().stored());
    REQUIRE(run(b->upsert("k", bytes_of("b again"))).value().stored());
    CHECK(text_of(run(a->get("k")).value()) == "of a");
    CHECK(text_of(run(b->get("k")).value()) == "b again");
    CHECK(text_of(run(c.store->get("k")).value()) == "of nobody");
    CHECK(std::string(text_of(run(a->view("k")).value().bytes())) == "of a");

    const auto keys = std::vector<std::string_view>{"k", "other"};
    CHECK(run(a->exists_batch(keys)).value() == std::vector{Errc::ok, Errc::not_found});
    REQUIRE(run(a->put("kk", bytes_of("more"))).has_value());
    auto listed = run(a->list("")).value();
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].key == "k");
    CHECK(listed[1].key == "kk");
    CHECK(run(a->list("", "k")).value().size() == 1);
    CHECK(run(c.store->list("")).value().size() == 1);

    CHECK(run(a->remove_prefix("")).error() == Errc::invalid_argument);
    CHECK(run(a->remove_matching("")).error() == Errc::invalid_argument);
    CHECK(run(a->remove_matching("?")).value().removed == 1);
    CHECK(run(c.store->remove_matching("*")).value().removed == 1);
    CHECK(run(a->remove_prefix("k")).value().removed == 1);
    CHECK(text_of(run(b->get("k")).value()) == "b again");
    REQUIRE(run(b->remove("k", store::RemoveMode::force)).has_value());
    CHECK(run(b->remove("k")).error().context().find("of tenant b") != std::string_view::npos);
    for (const auto& store : {a.get(), b.get()}) run(store->close());
}

TEST_CASE("tenants: a key of nobody that looks like a tenant's is nobody's all the same") {
    auto c = Cluster(1);
    const auto a = store_of(c, "a");
    const auto looks = store::key_of_tenant("a", "k");
    REQUIRE(c.runtime.run(a->put("k", bytes_of("of a"))).has_value());
    CHECK(c.runtime.run(c.store->get(looks)).error() == Errc::not_found);
    REQUIRE(c.runtime.run(c.store->put(looks, bytes_of("of nobody"))).value().stored());
    CHECK(text_of(c.runtime.run(c.store->get(looks)).value()) == "of nobody");
    CHECK(text_of(c.runtime.run(a->get("k")).value()) == "of a");
    CHECK(c.runtime.run(c.store->remove_prefix(looks)).value().removed == 1);
    CHECK(c.runtime.run(a->exists("k")).has_value());
    c.runtime.run(a->close());
}

TEST_CASE("tenants: batches, waits, chains and replicas are of the tenant's keys") {
    auto c = Cluster(2);
    const auto a = store_of(c, "a"), b = store_of(c, "b");
    const auto value = pattern(10'000);
    const auto items = std::vector<PutItem>{{.key = "1", .value = value}, {.key = "2", .value = value}};
    const auto chain = PutOptions{.parent = "0", .chain = Chain::yes};
    REQUIRE(c.runtime.run(a->put_batch(items, chain)).value().outcomes == std::vector(2, Errc::ok));
    const auto keys = std::vector<std::string_view>{"1", "2"};
    CHECK(c.runtime.run(a->wait_for(keys)).has_value());
    CHECK(c.runtime.run(b->wait_for(keys, 50ms)).error() == Errc::timed_out);
    auto into = std::vector<std::byte>(10'000);
    const auto get = GetItem{.key = "1", .into = into};
    CHECK(c.runtime.run(a->get_batch(std::span(&get, 1))).value().outcomes[0] == Errc::ok);
    CHECK(into == value);
    CHECK(c.runtime.run(b->get_batch(std::span(&get, 1))).value().outcomes[0] == Errc::not_found);
    CHECK(c.runtime.run(a->change_replicas("1", 2)).value() == 2);
    CHECK(c.runtime.run(b->change_replicas("1", 2)).error() == Errc::not_found);
    CHECK(info(c, "a").bytes == 30'000);
    CHECK(info(c, "a").objects == 2);
    CHECK(c.runtime.run(a->lease_batch(keys)).value().outcomes == std::vector(2, Errc::ok));
    for (const auto& store : {a.get(), b.get()}) c.runtime.run(store->close());
}

TEST_CASE("tenants: a drained node's objects move although their tenant is at its quota, and a repair makes good what "
          "it lost") {
    auto c = Cluster(2);
    const auto a = store_of(c, "a");
    const auto value = pattern(100'000);
    for (auto i = 0; i < 8; ++i) REQUIRE(c.runtime.run(a->put(std::to_string(i), value)).has_value());
    REQUIRE(c.runtime.run(c.store->set_quota("a", {.bytes = 800'000})).has_value());
    const auto moved = c.runtime.run(c.store->drain("node-0", 20s));
    REQUIRE(moved.has_value());
    CHECK(moved->left == 0);
    for (auto i = 0; i < 8; ++i) CHECK(c.runtime.run(a->get(std::to_string(i))).has_value());
    CHECK(info(c, "a").bytes == 800'000);
    CHECK(info(c, "a").evictions == 0);
    c.runtime.run(a->close());
}

TEST_CASE("tenants: a quota is said over the wire, kept, and told when it is full") {
    auto c = Cluster(1);
    const auto a = store_of(c, "a", 100);
    REQUIRE(c.runtime.run(c.store->set_quota("a", {.bytes = 300'000, .objects = 5, .weight = 7})).has_value());
    const auto value = pattern(100'000);
    for (auto i = 0; i < 6; ++i) REQUIRE(c.runtime.run(a->put(std::to_string(i), value)).has_value());
    CHECK(c.runtime.run(a->exists("2")).error() == Errc::not_found);
    for (auto i = 3; i < 6; ++i) REQUIRE(c.runtime.run(a->get(std::to_string(i))).has_value()); // leases are kept
    REQUIRE(c.runtime.run(a->put("6", value)).has_value());                                     // and given up for it
    const auto said = info(c, "a");
    CHECK(said.quota.bytes == 300'000);
    CHECK(said.quota.objects == 5);
    CHECK(said.quota.weight == 7);
    CHECK(said.bytes == 300'000);
    CHECK(said.objects == 3);
    CHECK(said.evictions == 4);
    const auto large = c.runtime.run(a->put("large", pattern(300'001)));
    REQUIRE(!large);
    CHECK(large.error() == Errc::quota);
    CHECK_MESSAGE(large.error().context().starts_with(
                      "object 'large' of tenant a: tenant a has 300000 of 300000 bytes in 3 of 5 objects"),
                  large.error().context());
    CHECK(info(c, "a").refused >= 1);
    CHECK(c.runtime.run(c.store->set_quota("a b", {})).error() == Errc::invalid_argument);
    c.runtime.run(a->close());
}

TEST_CASE("tenants: the events of a tenant are its own, and go on behind those of others") {
    struct WithEvents : DefaultMasterTraits {
        using Journal = EventRing;
    };
    auto runtime = Runtime({.threads = 2});
    auto config = EmbeddedStore<WithEvents>::Config();
    config.master.capacity = 4 * MiB;
    config.client.tenant = "a";
    auto store = EmbeddedStore<WithEvents>(runtime, std::move(config));
    REQUIRE(runtime.run(store.put("k", bytes_of("value"))).has_value());
    const auto all = runtime.run(store.events(0, 0)).value();
    REQUIRE(all.events.size() == 1);
    CHECK(all.events[0].key == "k");
    CHECK(all.events[0].sequence == 1);
    CHECK(all.last == 1);
}

TEST_CASE("tenants: a store of a tenant that cannot be is not made") {
    auto runtime = Runtime({.threads = 1});
    auto config = EmbeddedStore<>::Config();
    config.client.tenant = "no name";
    try {
        auto store = EmbeddedStore<>(runtime, std::move(config));
        FAIL("it was made");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == Errc::invalid_argument);
        CHECK(std::string(error.what()).find("ClientConfig::tenant is 'no name'") != std::string::npos);
    }
}

TEST_CASE("tenants: an object of a tenant is explained to its tenant, and to nobody else") {
    auto c = Cluster(1);
    const auto a = store_of(c, "a");
    REQUIRE(c.runtime.run(a->put("k", bytes_of("value"))).has_value());
    auto asked = explain(a.get(), "k");
    const auto told = c.runtime.run(std::move(asked)).value();
    CHECK(told.outcome == Errc::ok);
    CHECK(told.size == 5);
    CHECK(told.key == "k");
    auto other = explain(c.store.get(), "k");
    CHECK(c.runtime.run(std::move(other)).value().outcome == Errc::not_found);
    c.runtime.run(a->close());
}

TEST_CASE("pins: are set and ended over the wire, one and many, and by a put") {
    auto c = Cluster(1);
    const auto a = store_of(c, "a");
    const auto run = [&](auto task) { return c.runtime.run(std::move(task)); };
    const auto value = pattern(1 * MiB);
    REQUIRE(run(c.store->set_quota("a", {.bytes = 4 * MiB, .pinned_bytes = 2 * MiB})).has_value());
    REQUIRE(run(a->put("soft", value, {.pin = store::Pin::soft, .pin_time = 1h})).has_value());
    REQUIRE(run(a->put("hard", value, {.pin = store::Pin::hard})).has_value());
    for (auto i = 0; i < 6; ++i) REQUIRE(run(a->put("x" + std::to_string(i), value)).has_value());
    CHECK(run(a->exists("soft")).has_value());
    CHECK(run(a->exists("hard")).has_value());
    CHECK(info(c, "a").pinned_bytes == 1 * MiB);

    CHECK(run(a->pin("none")).error() == Errc::not_found);
    const auto keys = std::vector<std::string_view>{"x5", "none", "soft"};
    CHECK(run(a->pin_batch(keys, {.pin = store::Pin::hard})).value() ==
          std::vector{Errc::ok, Errc::not_found, Errc::quota});
    const auto refused = run(a->pin("soft", {.pin = store::Pin::hard}));
    CHECK(refused.error() == Errc::quota);
    CHECK(refused.error().context().find("tenant a has hard-pinned 2097152 of the 2097152 bytes") !=
          std::string_view::npos);
    CHECK(run(a->unpin_batch(keys)).value() == std::vector{Errc::ok, Errc::not_found, Errc::ok});
    REQUIRE(run(a->unpin("hard")).has_value());
    CHECK(info(c, "a").pinned_bytes == 0);
    REQUIRE(run(a->pin("hard", {.time = 1ms})).has_value());
    std::this_thread::sleep_for(5ms);
    for (auto i = 0; i < 4; ++i) REQUIRE(run(a->put("y" + std::to_string(i), value)).has_value());
    for (const auto* key : {"soft", "hard", "x5"}) CHECK(run(a->exists(key)).error() == Errc::not_found);
    run(a->close());
}
