// labels: unit
#include <mooncake/store/master/quarantine.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;
using namespace std::chrono_literals;

TEST_CASE("quarantine: an object leaves when its time has passed and its last lease has ended, not before") {
    const auto start = TimePoint{} + 1h;
    const auto object_of = [&](std::uint64_t bytes) {
        return std::unique_ptr<Object>(new ("k") Object{
            .hash = 1, .key_bytes = 1, .size = bytes, .version = 1, .pin = store::Pin::none, .write_deadline = start});
    };
    const auto timed = object_of(1), leased = object_of(2);
    leased->leases = 1;
    auto quarantine = Quarantine();
    auto gone = std::vector<Object*>();
    const auto sweep = [&](TimePoint now) {
        return quarantine.sweep(now, 100, [&](Object& object) { gone.push_back(&object); });
    };
    CHECK(sweep(start) == 0);
    quarantine.add(*timed, start + 10ms);
    quarantine.add(*leased, start);
    CHECK(quarantine.space().bytes == 3);
    CHECK(sweep(start + 9ms) == 0);
    CHECK(sweep(start + 10ms) == 1);
    CHECK(gone == std::vector{timed.get()});
    CHECK(quarantine.space().bytes == 2);
    CHECK(sweep(start + 1h) == 0);
    leased->leases = 0;
    CHECK(sweep(start + 1h) == 1);
    CHECK(gone.back() == leased.get());
    CHECK(quarantine.size() == 0);
    CHECK(quarantine.space().bytes == 0);
}
