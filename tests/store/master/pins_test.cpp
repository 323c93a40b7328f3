// labels: unit
#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/store/master/master.hpp>

#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

Errc pin(MasterFixture<>& f, const std::string& key, store::Pin how, std::uint64_t ms = 0) {
    return f.master.handle(store::PinObjects{.keys = {key}, .pin = how, .pin_ms = ms}).value().outcomes.at(0);
}
void fill(MasterFixture<>& f, const std::string& name, int count) {
    for (auto i = 0; i < count; ++i) REQUIRE(f.put(name + std::to_string(i)).outcome == Errc::ok);
}

} // namespace

TEST_CASE("pins: a soft pin is evicted only when nothing else is left") {
    auto f = MasterFixture(4);
    REQUIRE(f.put("a", {.pin = store::Pin::soft}).outcome == Errc::ok);
    fill(f, "b", 3);
    REQUIRE(pin(f, "b0", store::Pin::soft) == Errc::ok);
    fill(f, "c", 4);
    CHECK(f.has("a"));
    CHECK(f.has("b0"));
    CHECK_FALSE(f.has("b1"));
    CHECK(f.has("c2"));
    CHECK(f.has("c3"));
    const auto lease = f.get({"c2", "c3"}).lease;
    REQUIRE(f.put("d").outcome == Errc::ok); // the colder of the pinned ones goes
    CHECK_FALSE(f.has("a"));
    CHECK(f.has("b0"));
    REQUIRE(f.master.handle(store::Release{.leases = {lease}}).has_value());
    fill(f, "e", 4);
    CHECK(f.has("b0"));
}

TEST_CASE(
    "pins: a soft pin ends by its time, after half an hour where none is said, and the object is as any other then") {
    auto f = MasterFixture(4);
    for (const auto* key : {"a", "b"})
        REQUIRE(f.put(key, {.pin = store::Pin::soft, .pin_ms = 1'000}).outcome == Errc::ok);
    REQUIRE(f.put("c").outcome == Errc::ok);
    REQUIRE(pin(f, "c", store::Pin::soft) == Errc::ok);
    REQUIRE(pin(f, "b", store::Pin::soft, 5'000) == Errc::ok); // longer now
    f.clock.advance(999ms);
    fill(f, "x", 3);
    CHECK(f.has("a"));
    f.clock.advance(1ms);
    fill(f, "y", 2);
    CHECK_FALSE(f.has("a"));
    CHECK(f.has("b"));
    f.clock.advance(4s);
    fill(f, "z", 4);
    CHECK_FALSE(f.has("b"));
    CHECK(f.has("c"));
    f.clock.advance(30min);
    fill(f, "w", 4);
    CHECK_FALSE(f.has("c"));
}

TEST_CASE("pins: a soft pin may be made shorter, ended, and begun again") {
    auto f = MasterFixture(3);
    REQUIRE(f.put("a", {.pin = store::Pin::soft}).outcome == Errc::ok);
    REQUIRE(pin(f, "a", store::Pin::soft, 10) == Errc::ok);
    f.clock.advance(10ms);
    fill(f, "x", 3);
    CHECK_FALSE(f.has("a"));
    REQUIRE(f.put("b", {.pin = store::Pin::soft}).outcome == Errc::ok);
    REQUIRE(pin(f, "b", store::Pin::none) == Errc::ok);
    REQUIRE(pin(f, "b", store::Pin::soft, 50) == Errc::ok);
    for (auto i = 0; i < 100; ++i) REQUIRE(pin(f, "b", store::Pin::soft, 50 + i) == Errc::ok);
    f.clock.advance(148ms);
    fill(f, "y", 3);
    CHECK(f.has("b"));
    f.clock.advance(1ms);
    fill(f, "z", 3);
    CHECK_FALSE(f.has("b"));
}

TEST_CASE("pins: a hard pin is never evicted, nor by a quota, until somebody ends it") {
    auto f = MasterFixture(3);
    REQUIRE(f.put("a").outcome == Errc::ok);
    REQUIRE(pin(f, "a", store::Pin::hard) == Errc::ok);
    CHECK(f.master.stats().pinned_bytes == block);
    f.clock.advance(24h);
    fill(f, "x", 10);
    CHECK(f.has("a"));
    CHECK(f.start("large", {.sizes = {3 * block}}).outcome == Errc::no_space);
    REQUIRE(pin(f, "a", store::Pin::hard) == Errc::ok); // again
    CHECK(f.master.stats().pinned_bytes == block);
    REQUIRE(pin(f, "a", store::Pin::none) == Errc::ok);
    CHECK(f.master.stats().pinned_bytes == 0);
    REQUIRE(f.put("large", {.sizes = {3 * block}}).outcome == Errc::ok);
    CHECK_FALSE(f.has("a"));
}

TEST_CASE("pins: what may be hard-pinned is within the tenant's quota, and the sentence says how much it is") {
    auto f = MasterFixture(8);
    REQUIRE(f.master.handle(store::SetQuota{.tenant = "", .quota = {.pinned_bytes = 2 * block}}).has_value());
    fill(f, "k", 4);
    REQUIRE(pin(f, "k0", store::Pin::hard) == Errc::ok);
    REQUIRE(pin(f, "k1", store::Pin::hard) == Errc::ok);
    const auto refused =
        f.master.handle(store::PinObjects{.keys = {"k2", "k1", "none"}, .pin = store::Pin::hard}).value();
    CHECK(refused.outcomes == std::vector{Errc::quota, Errc::ok, Errc::not_found});
    CHECK(refused.quota.starts_with("no tenant has hard-pinned 8192 of the 8192 bytes that it may, and 4096 more"));
    REQUIRE(pin(f, "k2", store::Pin::soft) == Errc::ok);
    REQUIRE(pin(f, "k0", store::Pin::soft) == Errc::ok);
    CHECK(pin(f, "k2", store::Pin::hard) == Errc::ok);
    const auto put = f.master.handle(PutStart{.keys = {"new"}, .sizes = {block}, .pin = store::Pin::hard}).value();
    CHECK(put.objects[0].outcome == Errc::quota);
    CHECK(put.quota.starts_with("no tenant has hard-pinned"));
}

TEST_CASE("pins: what is being written cannot be pinned, and what replaces an object has its own pin") {
    auto f = MasterFixture(4);
    const auto started = f.start("k");
    CHECK(pin(f, "k", store::Pin::soft) == Errc::being_written);
    REQUIRE(f.end("k", started.version) == Errc::ok);
    REQUIRE(pin(f, "k", store::Pin::hard) == Errc::ok);
    REQUIRE(f.put("k", {.mode = WriteMode::upsert}).outcome == Errc::ok);
    CHECK(f.master.stats().pinned_bytes == 0);
    fill(f, "x", 4);
    CHECK_FALSE(f.has("k"));
    CHECK(f.master.handle(store::PinObjects{.keys = {"k"}, .pin = static_cast<store::Pin>(3)}).error() ==
          Errc::invalid_argument);
    CHECK(f.master.handle(store::PinObjects{.keys = {"k"}, .pin_ms = ~0ULL}).error() == Errc::invalid_argument);
    CHECK(f.master.handle(store::PinObjects{.keys = {""}}).error() == Errc::invalid_argument);
}

TEST_CASE("pins: time delays and never permits: a lease outlives the soft pin") {
    auto f = MasterFixture(2);
    REQUIRE(f.put("a", {.pin = store::Pin::soft, .pin_ms = 10}).outcome == Errc::ok);
    REQUIRE(f.put("b").outcome == Errc::ok);
    const auto lease = f.get({"a"}).lease;
    f.clock.advance(1s);
    fill(f, "x", 4);
    CHECK(f.has("a"));
    REQUIRE(f.master.handle(store::Release{.leases = {lease}}).has_value());
    fill(f, "y", 2);
    CHECK_FALSE(f.has("a"));
}

TEST_CASE("pins: over any policy, hard-pinned objects stay, and soft-pinned ones while another may go") {
    struct AnyOrder : ManualMaster {
        using Eviction = AnyEviction;
    };
    for (const auto& name : EvictionPolicies::names()) {
        CAPTURE(name);
        auto random = std::mt19937_64(7);
        auto clock = ManualClock();
        auto master = Master<AnyOrder>({.segment_ttl = Duration::max()},
                                       {.eviction = EvictionPolicies::named(name).value(), .clock = clock});
        REQUIRE(master
                    .handle(store::SegmentMount{.name = "n",
                                                .generation = 1,
                                                .endpoint = "n:1",
                                                .offset = 1 << 20,
                                                .bytes = 32 * block,
                                                .read_key = 1,
                                                .write_key = 2})
                    .has_value());
        auto pins = std::map<std::string, store::Pin>();
        const auto has = [&](const std::string& key) {
            return master.handle(store::Query{.keys = {key}}).value().outcomes[0] == Errc::ok;
        };
        for (auto step = 0; step < 3'000; ++step) {
            const auto key = "k" + std::to_string(random() % 100);
            const auto as = static_cast<store::Pin>(random() % 3);
            const auto hard =
                std::count_if(pins.begin(), pins.end(), [](auto& p) { return p.second != store::Pin::none; });
            if (random() % 4 == 0 && (hard < 12 || as == store::Pin::none)) {
                const auto pinned = master.handle(store::PinObjects{.keys = {key}, .pin = as}).value().outcomes[0];
                CHECK((pinned == Errc::ok) == has(key));
                if (pinned == Errc::ok) pins[key] = as;
            } else if (random() % 2 == 0) {
                const auto got = master.handle(store::Get{.keys = {key}}).value();
                if (got.lease != 0) (void)master.handle(store::Release{.leases = {got.lease}});
            } else {
                const auto started = master.handle(PutStart{.keys = {key}, .sizes = {block}}).value().objects[0];
                if (started.outcome != Errc::ok) continue;
                pins.erase(key);
                (void)master.handle(
                    store::PutEnd{.objects = {{.key = key, .version = started.version, .checksums = {1}}}});
            }
            for (const auto& [pinned, how] : pins)
                if (how != store::Pin::none) REQUIRE(has(pinned));
            clock.advance(1ms);
        }
    }
}
