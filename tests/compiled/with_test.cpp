#include <mooncake/compiled.hpp>

#include "compiled/without.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;

TEST_CASE("compiled: stores go between units that have it and units that do not") {
    auto runtime = Runtime({.threads = 2});
    auto mine = EmbeddedStore<>(runtime);
    REQUIRE(put_without(runtime, mine).has_value());
    const auto theirs = make_without(runtime);
    CHECK(text_of(runtime.run(mine.get("from without")).value()) == "a unit of the umbrella");
    REQUIRE(runtime.run(theirs->put("from with", bytes_of("a compiled one"))).has_value());
    CHECK(runtime.run(theirs->view("from with")).value().text() == "a compiled one");
}

TEST_CASE("compiled: engines do, too") {
    auto runtime = Runtime({.threads = 2});
    const auto owner = make_engine_without(runtime);
    auto peer = TransferEngine<>(runtime);
    auto memory = std::vector<std::byte>(1'000), sent = std::vector<std::byte>(1'000, std::byte{7});
    const auto region = runtime.run(owner->register_memory(memory, Rights::read_write));
    REQUIRE(region.has_value());
    const auto segment = runtime.run(peer.open(owner->locator(), 5s)).value();
    CHECK(runtime.run(peer.write(sent, segment, 0, {.deadline = 5s})).value().bytes == 1'000);
    CHECK(memory == sent);
}

TEST_CASE("compiled: a cluster's client without a master is told so") {
    auto runtime = Runtime({.threads = 1});
    auto config = ClusterStore::Config();
    config.master.rpc.server = {.host = "127.0.0.1", .port = 1};
    CHECK_THROWS(ClusterStore(runtime, std::move(config)));
}
