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
