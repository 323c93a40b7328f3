// labels: conformance coroutine concurrent
#include <mooncake/metadata/memory.hpp>
#include <mooncake/testing/metadata_conformance.hpp>

using namespace mooncake;

TEST_CASE("memory: is a metadata backend in all it claims") {
    testing::metadata_conformance([](Runtime&) { return std::make_shared<MemoryMetadata>(); });
}

TEST_CASE("minimal: is a metadata backend without capabilities") {
    testing::metadata_conformance([](Runtime&) { return std::make_shared<testing::MinimalMetadata>(); });
}

TEST_CASE("memory: a watcher that is too far behind is told to list again") {
    auto runtime = Runtime({.threads = 1});
    auto metadata = MemoryMetadata();
    for (int i = 0; i < 1100; ++i) {
        CHECK(runtime.run(metadata.put("k" + std::to_string(i), "", {})).has_value());
        CHECK(runtime.run(metadata.remove("k" + std::to_string(i), {})).has_value());
    }
    CHECK(runtime.run(metadata.watch("k", 1, {})).error() == Errc::conflict);
    CHECK(runtime.run(metadata.watch("k", 2000, {})).value().size() == 100);
}

namespace {

using namespace std::chrono_literals;

/// A record under a lease of a second, on a clock that the test turns.
struct Leased {
    Runtime runtime{{.threads = 1}};
    ManualClock clock;
    BasicMemoryMetadata<ManualClock> metadata{clock};
    std::uint64_t lease = runtime.run(metadata.grant(1000ms, {})).value();
    std::uint64_t version = runtime.run(metadata.put_leased("a", "x", lease, {})).value();
};

} // namespace

TEST_CASE("memory: leases follow the clock that is given") {
    auto f = Leased();
    f.clock.advance(999ms);
    CHECK(f.runtime.run(f.metadata.keep_alive(f.lease, {})).has_value());
    f.clock.advance(999ms);
    CHECK(f.runtime.run(f.metadata.get("a", {})).has_value());
    f.clock.advance(1ms);
    CHECK(f.runtime.run(f.metadata.get("a", {})).error() == Errc::not_found);
    CHECK(f.runtime.run(f.metadata.keep_alive(f.lease, {})).error() == Errc::not_found);
}

TEST_CASE("memory: compare-and-swap knows that a lease is over before anybody else has looked") {
    auto f = Leased();
    f.clock.advance(1000ms);
    CHECK(f.runtime.run(f.metadata.compare_and_swap("a", f.version, "late", {})).error() == Errc::conflict);
    CHECK(f.runtime.run(f.metadata.compare_and_swap("a", 0, "new", {})).has_value());
}

TEST_CASE("memory: a lease that is over is not revived, though nobody has looked since") {
    auto f = Leased();
    f.clock.advance(1000ms);
    CHECK(f.runtime.run(f.metadata.keep_alive(f.lease, {})).error() == Errc::not_found);
    CHECK(f.runtime.run(f.metadata.get("a", {})).error() == Errc::not_found);
}

TEST_CASE("memory: a watcher hears of the first lease that ends, whatever others last") {
    auto runtime = Runtime({.threads = 1});
    auto metadata = MemoryMetadata();
    const auto longer = runtime.run(metadata.grant(60s, {})).value(),
               shorter = runtime.run(metadata.grant(50ms, {})).value();
    CHECK(runtime.run(metadata.put_leased("a/long", "x", longer, {})).has_value());
    const auto version = runtime.run(metadata.put_leased("a/short", "x", shorter, {})).value();
    const auto changes = runtime.run(metadata.watch("a/", version, 10s)).value();
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].key == "a/short");
    CHECK(changes[0].removed);
}

TEST_CASE("memory: a record that was removed and put again is there, and nothing else is told") {
    auto runtime = Runtime({.threads = 1});
    auto metadata = MemoryMetadata();
    const auto first = runtime.run(metadata.put("a", "x", {})).value();
    CHECK(runtime.run(metadata.remove("a", {})).has_value());
    CHECK(runtime.run(metadata.put("a", "y", {})).has_value());
    const auto changes = runtime.run(metadata.watch("a", first, {})).value();
    REQUIRE(changes.size() == 1);
    CHECK_FALSE(changes[0].removed);
    CHECK(changes[0].document.value == "y");
}
