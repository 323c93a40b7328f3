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

TEST_CASE("memory: leases follow the clock that is given") {
    using namespace std::chrono_literals;
    auto runtime = Runtime({.threads = 1});
    auto clock = ManualClock();
    auto metadata = BasicMemoryMetadata<ManualClock>(clock);
    const auto lease = runtime.run(metadata.grant(1000ms, {})).value();
    CHECK(runtime.run(metadata.put_leased("a", "x", lease, {})).has_value());
    clock.advance(999ms);
    CHECK(runtime.run(metadata.keep_alive(lease, {})).has_value());
    clock.advance(999ms);
    CHECK(runtime.run(metadata.get("a", {})).has_value());
    clock.advance(1ms);
    CHECK(runtime.run(metadata.get("a", {})).error() == Errc::not_found);
    CHECK(runtime.run(metadata.keep_alive(lease, {})).error() == Errc::not_found);
}

TEST_CASE("memory: compare-and-swap knows that a lease is over before anybody else has looked") {
    using namespace std::chrono_literals;
    auto runtime = Runtime({.threads = 1});
    auto clock = ManualClock();
    auto metadata = BasicMemoryMetadata<ManualClock>(clock);
    const auto lease = runtime.run(metadata.grant(1000ms, {})).value();
    const auto version = runtime.run(metadata.put_leased("a", "x", lease, {})).value();
    clock.advance(1000ms);
    CHECK(runtime.run(metadata.compare_and_swap("a", version, "late", {})).error() == Errc::conflict);
    CHECK(runtime.run(metadata.compare_and_swap("a", 0, "new", {})).has_value());
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
