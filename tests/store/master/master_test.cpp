// labels: unit
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/store/master/master.hpp>
#include <mooncake/testing/allocator_conformance.hpp>
#include <mooncake/testing/eviction_conformance.hpp>
#include <mooncake/testing/journal_conformance.hpp>
#include <mooncake/testing/lease_conformance.hpp>
#include <mooncake/testing/placement_conformance.hpp>

#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <thread>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

struct Minimal {
    using Allocator = MinimalAllocator;
    using Eviction = MinimalEviction;
    using Lease = MinimalLease;
    using Placement = MinimalPlacement;
    using Journal = MinimalJournal;
    using Clock = ManualClock;
};
struct LacksEviction : Minimal {
    using Eviction = int;
};
struct LacksAllocator : Minimal {
    using Allocator = int;
};
struct LacksLease : Minimal {
    using Lease = int;
};
struct LacksPlacement : Minimal {
    using Placement = int;
};
struct LacksJournal : Minimal {
    using Journal = int;
};
struct LacksClock : Minimal {
    using Clock = int;
};
static_assert(MasterTraitsLike<Minimal>);
static_assert(!MasterTraitsLike<LacksEviction>);
static_assert(!MasterTraitsLike<LacksAllocator>);
static_assert(!MasterTraitsLike<LacksLease>);
static_assert(!MasterTraitsLike<LacksPlacement>);
static_assert(!MasterTraitsLike<LacksJournal>);
static_assert(!MasterTraitsLike<LacksClock>);
static_assert(!MasterTraitsLike<int>);

struct CountingWaiter final : Waiter {
    int calls = 0;
    void ready() noexcept override { ++calls; }
};

} // namespace

TEST_CASE("master: what was put is found with its size, version, checksums and a key for reading") {
    auto f = MasterFixture(4);
    const auto space = f.start("a");
    REQUIRE(space.outcome == Errc::ok);
    REQUIRE(space.replicas.size() == 1);
    CHECK(space.replicas[0].segment == f.segment);
    CHECK(space.replicas[0].key == 22);
    CHECK(space.replicas[0].offset >= 1 << 20);
    CHECK_FALSE(f.has("a"));
    CHECK(f.get({"a"}).lease == 0);
    CHECK(f.end("a", space.version, 99) == Errc::ok);
    const auto reply = f.get({"a", "b"});
    REQUIRE(reply.objects.size() == 2);
    const auto& object = reply.objects[0];
    CHECK(object.outcome == Errc::ok);
    CHECK(object.size == block);
    CHECK(object.version == space.version);
    CHECK(object.checksums == Checksums{99});
    REQUIRE(object.replicas.size() == 1);
    CHECK(object.replicas[0].key == 11);
    CHECK(object.replicas[0].offset == space.replicas[0].offset);
    CHECK(object.replicas[0].epoch == space.replicas[0].epoch);
    CHECK(reply.objects[1].outcome == Errc::not_found);
    CHECK(reply.lease != 0);
    CHECK(reply.ttl_ms == 5000);
}

TEST_CASE("master: an empty object has a place too, and no checksum") {
    auto f = MasterFixture(1);
    const auto space = f.start("empty", {.sizes = {0}});
    REQUIRE(space.outcome == Errc::ok);
    CHECK(f.end("empty", space.version) == Errc::invalid_argument);
    CHECK(f.master.handle(store::PutEnd{.objects = {{.key = "empty", .version = space.version}}})->outcomes.at(0) ==
          Errc::ok);
    CHECK(f.get({"empty"}).objects.at(0).size == 0);
    CHECK(f.remove("empty", RemoveMode::force) == Errc::ok);
}

TEST_CASE(
    "put: a key that is there exists, one that is being written says so, and a put of an existing one is a touch") {
    auto f = MasterFixture(2);
    f.put("a");
    f.put("b");
    CHECK(f.start("a").outcome == Errc::exists);
    f.put("c"); // evicts b: a was touched
    CHECK(f.has("a"));
    CHECK_FALSE(f.has("b"));
    REQUIRE(f.start("d").outcome == Errc::ok);
    CHECK(f.start("d").outcome == Errc::being_written);
    CHECK_FALSE(f.has("d"));
}

TEST_CASE("put: twice the same key in one batch is one write") {
    auto f = MasterFixture(4);
    const auto reply = f.master.handle(store::PutStart{.keys = {"a", "a"}, .sizes = {block, block}}).value();
    CHECK(reply.objects.at(0).outcome == Errc::ok);
    CHECK(reply.objects.at(1).outcome == Errc::being_written);
    CHECK(f.master.stats().used_bytes == block);
}

TEST_CASE("put: an end with another version, too late, or with the wrong number of checksums is refused") {
    auto f = MasterFixture(4);
    const auto space = f.start("a", {.write_deadline_ms = 100});
    CHECK(f.end("a", space.version + 1) == Errc::not_found);
    CHECK(f.end("b", space.version) == Errc::not_found);
    CHECK(f.master.handle(store::PutEnd{.objects = {{.key = "a", .version = space.version}}})->outcomes.at(0) ==
          Errc::invalid_argument);
    f.clock.advance(100ms);
    CHECK(f.end("a", space.version) == Errc::lease_expired);
    CHECK_FALSE(f.has("a"));
}

TEST_CASE("put: the same end again is ok again") {
    auto f = MasterFixture(4);
    const auto space = f.put("a");
    CHECK(f.end("a", space.version) == Errc::ok);
    CHECK(f.master.stats().writing_bytes == 0);
}

TEST_CASE("put: an end can leave a lease for whoever reads next") {
    auto f = MasterFixture(1);
    const auto space = f.start("a");
    const auto reply = f.master
                           .handle(store::PutEnd{.objects = {{.key = "a", .version = space.version, .checksums = {1}}},
                                                 .lease = LeaseWish::grant})
                           .value();
    CHECK(reply.lease != 0);
    CHECK(reply.lease_ms == 5000);
    CHECK(f.start("b").outcome == Errc::no_space);
    CHECK(f.master.handle(store::Release{{reply.lease}}).has_value());
    CHECK(f.start("b").outcome == Errc::ok);
}

TEST_CASE("put: the space of a writer that went away is quarantined until its deadline and the skew have passed") {
    auto f = MasterFixture(1, {.segment_ttl = Duration::max(), .skew = 50ms});
    const auto lost = f.start("a", {.write_deadline_ms = 100});
    REQUIRE(lost.outcome == Errc::ok);
    f.clock.advance(99ms);
    CHECK(f.start("b").outcome == Errc::no_space);
    f.clock.advance(1ms);
    SUBCASE("when time is told to pass") { CHECK(f.master.expire().writes == 1); }
    SUBCASE("when space is needed") {}
    SUBCASE("when somebody else puts the key") { CHECK(f.start("a").outcome == Errc::no_space); }
    CHECK(f.start("b").outcome == Errc::no_space);
    CHECK(f.master.stats().quarantined_bytes == block);
    CHECK(f.end("a", lost.version) == Errc::not_found);
    f.clock.advance(49ms);
    CHECK(f.start("b").outcome == Errc::no_space);
    f.clock.advance(1ms);
    CHECK(f.start("b").outcome == Errc::ok);
    CHECK(f.master.stats().quarantined_bytes == 0);
}

TEST_CASE("master: what began at another one, before a restart, is not finished here") {
    auto f = MasterFixture(8);
    const auto term = f.master.handle(store::PutStart{.keys = {"a"}, .sizes = {block}}).value().term;
    REQUIRE(term != 0);
    const auto version = f.start("b").version;
    const auto written = WrittenObject{.key = "b", .version = version, .checksums = Checksums{1}};
    CHECK(f.master.handle(store::PutEnd{.objects = {written}, .term = term + 1}).error() == Errc::stale_term);
    CHECK(f.master.handle(store::PutAbort{.keys = {"b"}, .versions = {version}, .term = term + 1}).error() ==
          Errc::stale_term);
    CHECK(f.master.handle(store::ReportBad{.replicas = {{.key = "b"}}, .term = term + 1}).error() == Errc::stale_term);
    CHECK(f.master.handle(store::PutEnd{.objects = {written}, .term = term}).has_value());
}

namespace {
/// A master whose one segment vouches for its writers, and a write that ended without saying how.
struct Fenced {
    MasterFixture<> f{0};
    std::uint32_t segment = f.master
                                .handle(store::SegmentMount{.name = "node-1",
                                                            .generation = 1,
                                                            .endpoint = "node-1:1",
                                                            .host = "node-1",
                                                            .offset = 1 << 20,
                                                            .bytes = 4 * block,
                                                            .read_key = 11,
                                                            .write_key = 22,
                                                            .fencing = Fencing::by_owner})
                                .value()
                                .segment;
    PutSpace space = f.start("a");
    Errc aborted = f.abort("a", space.version, WriterState::unknown);

    std::vector<FencedExtent> told(std::vector<std::uint64_t> fenced = {}) {
        return f.master.handle(store::Heartbeat{.segment = segment, .generation = 1, .fenced = std::move(fenced)})
            .value()
            .fence;
    }
};
} // namespace

TEST_CASE(
    "fence: space whose writer may still be writing is free when its owner has fenced it, however long that takes") {
    auto fenced = Fenced();
    auto& f = fenced.f;
    REQUIRE(fenced.aborted == Errc::ok);
    CHECK(f.master.stats().quarantined_bytes == block);
    f.clock.advance(1h);
    (void)f.master.expire();
    const auto told = fenced.told();
    REQUIRE(told.size() == 1);
    CHECK(told[0].epoch == fenced.space.replicas[0].epoch);
    CHECK(told[0].offset == fenced.space.replicas[0].offset);
    CHECK(told[0].bytes == block);
    CHECK(f.start("four", {.sizes = {4 * block}}).outcome == Errc::no_space);
    CHECK(fenced.told({told[0].epoch + 1}).size() == 1); // not that one
    CHECK(fenced.told({told[0].epoch}).empty());
    CHECK(f.master.stats().quarantined_bytes == 0);
    CHECK(f.start("four", {.sizes = {4 * block}}).outcome == Errc::ok);
}

TEST_CASE("fence: a segment that is gone has nothing to fence any more") {
    auto fenced = Fenced();
    REQUIRE(fenced.f.master.handle(store::Unmount{.segment = fenced.segment, .generation = 1}).has_value());
    CHECK(fenced.f.master.stats().quarantined_bytes == 0);
    CHECK(fenced.f.master.fenced_bytes() == 0);
}

TEST_CASE("abort: the space of a settled writer is free at once, of another one after its deadline") {
    auto f = MasterFixture(1, {.segment_ttl = Duration::max(), .skew = 0ms});
    auto space = f.start("a");
    CHECK(f.abort("a", space.version + 1, WriterState::settled) == Errc::not_found);
    CHECK(f.abort("a", space.version, WriterState::settled) == Errc::ok);
    CHECK(f.abort("a", space.version, WriterState::settled) == Errc::not_found);
    space = f.start("b", {.write_deadline_ms = 10});
    CHECK(space.outcome == Errc::ok);
    CHECK(f.abort("b", space.version, WriterState::unknown) == Errc::ok);
    CHECK(f.start("c").outcome == Errc::no_space);
    f.clock.advance(10ms);
    space = f.put("c");
    CHECK(space.outcome == Errc::ok);
    CHECK(f.abort("c", space.version, WriterState::settled) == Errc::not_found);
    CHECK(f.has("c"));
}

TEST_CASE("eviction: the least recently used goes, one by one, until the bytes fit") {
    auto f = MasterFixture(4);
    for (const auto* key : {"a", "b", "c", "d"}) f.put(key);
    CHECK(f.read("a") == Errc::ok);
    CHECK(f.has("b")); // a query is no touch
    CHECK(f.put("large", {.sizes = {2 * block}}).outcome == Errc::ok);
    CHECK_FALSE(f.has("b"));
    CHECK_FALSE(f.has("c"));
    CHECK((f.has("a") && f.has("d")));
    CHECK(f.master.stats().evictions == 2);
    CHECK(f.master.stats().evicted_bytes == 2 * block);
}

TEST_CASE("eviction: it goes on while the freed space is in too small pieces") {
    auto f = MasterFixture(6);
    for (const auto* key : {"a", "b", "c", "d", "e", "f"}) f.put(key);
    for (const auto* key : {"b", "d", "f"}) f.read(key); // order: a c e b d f
    CHECK(f.put("large", {.sizes = {2 * block}}).outcome == Errc::ok);
    CHECK(f.master.stats().evictions == 4); // a, c and e are no neighbours; b joins a and c
    CHECK((f.has("d") && f.has("f")));
}

TEST_CASE("eviction: what is leased, pinned or being written stays, and the sentence says how much that is") {
    auto f = MasterFixture(4);
    f.put("leased");
    f.put("pinned", {.pin = store::Pin::hard});
    REQUIRE(f.start("writing").outcome == Errc::ok);
    const auto lease = f.get({"leased"});
    f.put("evictable");
    CHECK(f.put("next").outcome == Errc::ok);
    CHECK_FALSE(f.has("evictable"));
    const auto second = f.get({"next"});
    const auto reply = f.master.handle(store::PutStart{.keys = {"more", "pinned"}, .sizes = {block, block}}).value();
    CHECK(reply.objects.at(0).outcome == Errc::no_space);
    CHECK(reply.objects.at(1).outcome == Errc::exists);
    CHECK(reply.no_space == f.master.describe_no_space());
    CHECK(reply.no_space.find("leased 8192, pinned 4096, being written 4096, quarantined 0, free 0 of 16384") !=
          std::string::npos);
    CHECK(f.master.handle(store::Release{{lease.lease}}).has_value());
    CHECK(f.put("more").outcome == Errc::ok);
    CHECK_FALSE(f.has("leased"));
    CHECK((f.has("pinned") && f.has("next")));
    CHECK(f.master.stats().pinned_bytes == block);
    CHECK(f.remove("pinned") == Errc::ok);
    CHECK(f.master.stats().pinned_bytes == 0);
}

TEST_CASE("eviction: what no segment could ever hold evicts nothing") {
    auto f = MasterFixture(2);
    f.put("a");
    f.put("b");
    CHECK(f.start("huge", {.sizes = {2 * block + 1}}).outcome == Errc::too_large);
    CHECK((f.has("a") && f.has("b")));
    auto empty = MasterFixture(0);
    CHECK(empty.start("a").outcome == Errc::no_space);
    CHECK(empty.master.describe_no_space().find("no segment is mounted") == 0);
}

TEST_CASE("lease: released, it holds nothing; expired, neither; renewed, it survives its first deadline") {
    auto f = MasterFixture(1);
    f.put("a");
    const auto lease = f.get({"a"}).lease;
    f.clock.advance(4s);
    CHECK(f.start("b").outcome == Errc::no_space);
    CHECK(f.master.handle(store::Renew{lease}).value().ttl_ms == 5000);
    f.clock.advance(4s);
    CHECK(f.start("b").outcome == Errc::no_space);
    f.clock.advance(1s);
    CHECK(f.master.handle(store::Renew{lease}).error() == Errc::lease_expired);
    CHECK(f.start("b").outcome == Errc::ok);
    CHECK(f.master.handle(store::Release{{lease}}).error() == Errc::lease_expired);
    CHECK(f.master.stats().leases == 0);
    CHECK(f.master.stats().leased_bytes == 0);
}

TEST_CASE("lease: one for ever is one for a year") {
    auto clock = ManualClock();
    auto master =
        Master<ManualMaster>({.segment_ttl = Duration::max()}, {.lease = {.ttl = Duration::max()}, .clock = clock});
    REQUIRE(master.handle(store::SegmentMount{.name = "n", .bytes = block}).has_value());
    const auto space = master.handle(store::PutStart{.keys = {"a"}, .sizes = {block}}).value().objects.at(0);
    REQUIRE(master.handle(store::PutEnd{.objects = {{.key = "a", .version = space.version, .checksums = {1}}}})
                .has_value());
    const auto reply = master.handle(store::Get{.keys = {"a"}}).value();
    CHECK(reply.ttl_ms == 365ULL * 24 * 3'600'000);
    CHECK(master.handle(store::Renew{reply.lease}).value().ttl_ms == reply.ttl_ms);
    clock.advance(24h * 365);
    CHECK(master.handle(store::Renew{reply.lease}).error() == Errc::lease_expired);
}

TEST_CASE("lease: two on one object hold it until the second is released") {
    auto f = MasterFixture(1);
    f.put("a");
    const auto first = f.get({"a", "a"}), second = f.get({"a"});
    CHECK(f.master.stats().leased_bytes == block);
    CHECK(first.lease != second.lease);
    CHECK(f.master.handle(store::Release{{first.lease}}).has_value());
    CHECK(f.start("b").outcome == Errc::no_space);
    CHECK(f.master.handle(store::Release{{first.lease, second.lease}}).error() ==
          Errc::lease_expired); // one was over; both are
    CHECK(f.start("b").outcome == Errc::ok);
}

TEST_CASE("get: a prefix ends at the first miss, and what comes after is neither touched nor leased") {
    auto f = MasterFixture(3);
    for (const auto* key : {"a", "b", "d"}) f.put(key);
    const auto reply = f.get({"a", "b", "c", "d"}, LookUp::prefix);
    CHECK(reply.objects.size() == 2);
    CHECK(f.master.handle(store::Query{.keys = {"a", "b", "c", "d"}, .mode = LookUp::prefix})->outcomes.size() == 2);
    CHECK(f.put("e").outcome == Errc::ok);
    CHECK_FALSE(f.has("d"));
    CHECK(f.start("f").outcome == Errc::ok); // e was not leased
    CHECK((f.has("a") && f.has("b")));
}

TEST_CASE("remove: what is in use stays unless forced, and then its bytes stay until the last reader is done") {
    auto f = MasterFixture(1, {.segment_ttl = Duration::max(), .skew = 10ms});
    CHECK(f.remove("a") == Errc::not_found);
    f.put("a");
    const auto lease = f.get({"a"});
    CHECK(f.remove("a") == Errc::conflict);
    CHECK(f.has("a"));
    CHECK(f.remove("a", RemoveMode::force) == Errc::ok);
    CHECK_FALSE(f.has("a"));
    CHECK(f.start("b").outcome == Errc::no_space);
    CHECK(f.master.stats().quarantined_bytes == block);
    SUBCASE("released") { CHECK(f.master.handle(store::Release{{lease.lease}}).has_value()); }
    SUBCASE("expired") { f.clock.advance(5s); }
    const auto space = f.start("b", {.write_deadline_ms = 20});
    CHECK(space.outcome == Errc::ok);
    CHECK(f.remove("b") == Errc::conflict);
    CHECK(f.remove("b", RemoveMode::force) == Errc::ok);
    CHECK(f.end("b", space.version) == Errc::not_found);
    f.clock.advance(29ms);
    CHECK(f.start("c").outcome == Errc::no_space);
    f.clock.advance(1ms);
    CHECK(f.put("c").outcome == Errc::ok);
    CHECK(f.remove("c") == Errc::ok);
    CHECK(f.master.stats().used_bytes == 0);
}

TEST_CASE("bad replica: it is offered no more, and with its last one an object goes; what is not meant stays") {
    auto f = MasterFixture(10);
    f.mount("node-2", 10);
    const auto one = f.put("one"), two = f.put("two", {.replicas = 2});
    REQUIRE(two.replicas.size() == 2);
    const auto report = [&](const std::string& key, std::uint64_t version, const ReplicaDescriptor& replica,
                            std::uint64_t epoch) {
        CHECK(f.master
                  .handle(store::ReportBad{
                      .replicas = {{.key = key, .version = version, .segment = replica.segment, .epoch = epoch}},
                      .term = f.master.handle(store::PutStart{}).value().term})
                  .has_value());
    };
    const auto& place = one.replicas[0];
    report("one", one.version + 1, place, place.epoch);
    report("one", one.version, place, place.epoch + 1);
    report("one", one.version, {.segment = place.segment + 7}, place.epoch);
    report("two", one.version, place, place.epoch);
    CHECK((f.has("one") && f.has("two")));
    report("one", one.version, place, place.epoch);
    CHECK_FALSE(f.has("one"));
    CHECK(f.put("one").outcome == Errc::ok); // anew
    report("two", two.version, two.replicas[0], two.replicas[0].epoch);
    const auto left = f.get({"two"}).objects.at(0).replicas;
    REQUIRE(left.size() == 1);
    CHECK(left[0].segment == two.replicas[1].segment);
    report("two", two.version, two.replicas[1], two.replicas[1].epoch);
    CHECK_FALSE(f.has("two"));
}

TEST_CASE("list: pages by key, with a prefix, without what is not visible") {
    auto f = MasterFixture(200);
    for (int i = 0; i < 100; ++i) f.put("x/" + std::to_string(1000 + i));
    f.put("w");
    f.put("y");
    REQUIRE(f.start("x/0").outcome == Errc::ok);
    auto seen = std::vector<std::string>();
    auto after = std::string();
    for (;;) {
        const auto page = f.master.list({.prefix = "x/", .after = after, .limit = 7}).value();
        for (const auto& object : page.objects) seen.push_back(object.key);
        if (page.objects.size() < 7) break;
        after = seen.back();
    }
    REQUIRE(seen.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(seen[static_cast<std::size_t>(i)] == "x/" + std::to_string(1000 + i));
}

TEST_CASE("audit: every visible object with all of its replicas, and none of it is touched or leased") {
    auto f = MasterFixture(8);
    f.mount("node-2", 8);
    const auto both = f.put("both", {.replicas = 2});
    const auto one = f.put("one");
    REQUIRE(f.start("begun").outcome == Errc::ok);
    auto seen = std::vector<std::string>();
    f.master.audit([&](std::string_view key, const ObjectDescriptor& object) {
        seen.emplace_back(key);
        const auto& put = key == "both" ? both : one;
        CHECK(object.size == block);
        CHECK(object.version == put.version);
        CHECK(object.checksums == Checksums{7});
        REQUIRE(object.replicas.size() == put.replicas.size());
        for (std::size_t i = 0; i < put.replicas.size(); ++i) {
            CHECK(object.replicas[i].segment == put.replicas[i].segment);
            CHECK(object.replicas[i].offset == put.replicas[i].offset);
            CHECK(object.replicas[i].key == 11);
        }
    });
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector<std::string>{"both", "one"});
    CHECK(f.master.stats().leases == 0);
}

TEST_CASE("segment: the same name and generation is the same segment, another generation a conflict while it lives") {
    auto f = MasterFixture(1, {.segment_ttl = 3s});
    CHECK(f.mount("node-1", 1) == f.segment);
    auto again = SegmentMount{.name = "node-1", .generation = 2, .endpoint = "elsewhere:1", .bytes = block};
    auto refused = f.master.handle(again);
    REQUIRE(refused.has_error());
    CHECK(refused.error() == Errc::conflict);
    CHECK(refused.error().context().find("generation 1 at 'node-1:1'") != std::string_view::npos);
    CHECK(refused.error().context().find("generation 2 at 'elsewhere:1'") != std::string_view::npos);
    again.generation = 1;
    CHECK(f.master.handle(again).error() == Errc::conflict); // another window
    f.put("a");
    f.clock.advance(3s);
    CHECK(f.master.handle(store::Heartbeat{f.segment, 1})->ttl_ms == 3000);
    CHECK(f.master.handle(store::Heartbeat{f.segment, 2}).error() == Errc::stale_generation);
    f.clock.advance(3s);
    CHECK(f.has("a"));
    f.clock.advance(1ns);
    again.generation = 2;
    const auto successor = f.master.handle(again);
    REQUIRE(successor.has_value());
    CHECK(successor->segment != f.segment);
    CHECK_FALSE(f.has("a"));
    CHECK(f.master.handle(store::Heartbeat{f.segment, 1}).error() == Errc::not_found);
    CHECK(f.master.handle(store::Segments{}).value().segments.size() == 1);
    CHECK(f.master.handle(store::Segments{{f.segment}}).value().segments.empty());
    CHECK(f.master.stats().objects == 0);
}

TEST_CASE("segment: when it dies its replicas go, and objects with another one stay") {
    auto f = MasterFixture(8, {.segment_ttl = 3s});
    const auto second = f.mount("node-2", 8);
    const auto both = f.put("both", {.replicas = 2});
    REQUIRE(both.replicas.size() == 2);
    CHECK(both.replicas[0].segment != both.replicas[1].segment);
    for (int i = 0; i < 8; ++i) f.put("one-" + std::to_string(i));
    const auto before = f.master.stats();
    const auto leased = f.get({"both", "one-0", "one-1", "one-2", "one-3", "one-4", "one-5", "one-6", "one-7"});
    const auto writing = f.start("writing", {.replicas = 2});
    f.clock.advance(2s);
    CHECK(f.master.handle(store::Heartbeat{second, 1}).has_value());
    f.clock.advance(2s);
    const auto expired = f.master.expire();
    CHECK(expired.segments == 1);
    CHECK(expired.objects > 0);
    CHECK(f.master.stats().objects == before.objects + 1 - expired.objects);
    CHECK(f.master.stats().capacity_bytes == 8 * block);
    for (std::size_t i = 1; i < leased.objects.size(); ++i)
        CHECK(f.has("one-" + std::to_string(i - 1)) == (leased.objects[i].replicas[0].segment == second));
    CHECK(f.end("writing", writing.version) == Errc::ok);
    CHECK(f.get({"both"}).objects.at(0).replicas.size() == 1);
    CHECK(f.master.handle(store::Release{{leased.lease}}).has_value());
    CHECK(f.master.handle(store::Unmount{second, 1}).has_value());
    CHECK(f.master.handle(store::Unmount{second, 1}).error() == Errc::not_found);
    f.clock.advance(1h);
    (void)f.master.expire();
    const auto after = f.master.stats();
    CHECK(after.objects == 0);
    CHECK(after.leased_bytes == 0);
    CHECK(after.quarantined_bytes == 0);
    CHECK(f.start("none").outcome == Errc::no_space);
}

TEST_CASE(
    "lost: an object that went with its last replica is not as if it had never been, until somebody puts it anew") {
    auto f = MasterFixture(8, {.segment_ttl = 3s});
    const auto outcome = [&](const std::string& key) { return f.get({key}).objects.at(0).outcome; };
    const auto one = f.put("one");
    f.put("removed");
    CHECK(f.master.handle(store::Remove{.keys = {"removed"}}).has_value());
    const auto writing = f.start("writing");
    CHECK(f.master.handle(store::Unmount{f.segment, 1}).has_value());
    CHECK(outcome("one") == Errc::lost);
    for (const auto* never : {"removed", "writing", "never"}) CHECK(outcome(never) == Errc::not_found);
    CHECK(f.master.handle(store::Query{.keys = {"one"}}).value().outcomes.at(0) ==
          Errc::not_found); // whether it is there
    CHECK(f.get({"one", "never"}, LookUp::prefix).objects.empty());

    f.segment = f.mount("node-2", 2);
    f.put("one");
    CHECK(outcome("one") == Errc::ok);
    CHECK(f.master.handle(store::Remove{.keys = {"one"}, .mode = RemoveMode::force}).has_value());
    CHECK(outcome("one") == Errc::not_found);

    const auto bad = f.put("bad");
    CHECK(f.master
              .handle(store::ReportBad{.replicas = {{.key = "bad",
                                                     .version = bad.version,
                                                     .segment = bad.replicas[0].segment,
                                                     .epoch = bad.replicas[0].epoch}},
                                       .term = f.master.handle(store::PutStart{}).value().term})
              .has_value());
    CHECK(outcome("bad") == Errc::lost);
}

TEST_CASE("replicas: fewer than asked for are said, or refused") {
    auto f = MasterFixture(4);
    CHECK(f.put("a", {.replicas = 3}).replicas.size() == 1);
    CHECK(f.start("b", {.replicas = 3, .demand = ReplicaDemand::all}).outcome == Errc::no_space);
    const auto refused =
        f.master.handle(store::PutStart{.keys = {"b"}, .sizes = {1}, .replicas = 3, .demand = ReplicaDemand::all})
            .value();
    CHECK(refused.no_space == "3 replicas in as many segments were demanded, and 1 are mounted");
    f.mount("node-2", 4);
    f.mount("node-3", 1);
    CHECK(f.put("b", {.replicas = 3, .demand = ReplicaDemand::all}).replicas.size() == 3);
    CHECK(f.put("c", {.sizes = {2 * block}, .replicas = 3}).outcome == Errc::ok);
    CHECK(f.get({"c"}).objects.at(0).outcome == Errc::ok);
}

TEST_CASE("waiting: told once, when the last of the keys becomes visible") {
    auto f = MasterFixture(8);
    f.put("a");
    auto waiter = std::make_shared<CountingWaiter>();
    CHECK(f.master.wait_for({"a"}, waiter).has_value());
    CHECK(waiter->calls == 1);
    waiter = std::make_shared<CountingWaiter>();
    CHECK(f.master.wait_for({"a", "b", "c", "b"}, waiter).has_value());
    f.put("b");
    CHECK(waiter->calls == 0);
    const auto space = f.start("c");
    CHECK(waiter->calls == 0);
    f.end("c", space.version);
    CHECK(waiter->calls == 1);
    f.end("c", space.version);
    CHECK(waiter->calls == 1);
    CHECK_FALSE(f.master.cancel_wait(*waiter));
    CHECK(waiter.use_count() == 1);
}

TEST_CASE("waiting: cancelled, it is never told and nothing of it is left") {
    auto f = MasterFixture(8);
    const auto waiter = std::make_shared<CountingWaiter>();
    CHECK(f.master.wait_for({"a", "b"}, waiter).has_value());
    f.put("a");
    CHECK(f.master.cancel_wait(*waiter));
    CHECK_FALSE(f.master.cancel_wait(*waiter));
    CHECK(waiter.use_count() == 1);
    f.put("b");
    CHECK(waiter->calls == 0);
}

TEST_CASE("master: messages beyond the limits are refused with what was wrong, and nothing is done") {
    auto f = MasterFixture(4, {.segment_ttl = Duration::max(), .limits = {.max_keys = 2, .max_key_bytes = 8}});
    const auto says = [](const auto& result, Errc code, std::string_view text) {
        REQUIRE(result.has_error());
        CHECK(result.error() == code);
        CHECK_MESSAGE(result.error().context().find(text) != std::string_view::npos, result.error().message());
    };
    says(f.master.handle(store::PutStart{.keys = {"a", "b", "c"}, .sizes = {1, 1, 1}}), Errc::too_large,
         "3 keys, the limit is 2");
    says(f.master.handle(store::PutStart{.keys = {"a", "b"}, .sizes = {1}}), Errc::invalid_argument,
         "2 keys, but 1 sizes");
    says(f.master.handle(store::PutStart{.keys = {"a", "123456789"}, .sizes = {1, 1}}), Errc::too_large,
         "key 1 has 9 bytes, the limit is 8");
    says(f.master.handle(store::PutStart{.keys = {""}, .sizes = {1}}), Errc::invalid_argument, "key 0 is empty");
    says(f.master.handle(store::PutStart{.keys = {"a"}, .sizes = {1}, .replicas = 0}), Errc::invalid_argument,
         "0 replicas");
    says(f.master.handle(store::PutStart{.keys = {"a"}, .sizes = {~0ULL}}), Errc::too_large, "object 0");
    says(f.master.handle(store::PutStart{.keys = {"a"}, .sizes = {1}, .write_deadline_ms = 0}), Errc::invalid_argument,
         "write_deadline_ms");
    says(f.master.handle(store::Get{.keys = {"a"}, .mode = static_cast<LookUp>(9)}), Errc::invalid_argument, "mode");
    says(f.master.handle(store::PutAbort{.keys = {"a"}}), Errc::invalid_argument, "0 versions");
    says(f.master.list({.limit = 0}), Errc::invalid_argument, "limit");
    says(f.master.handle(store::SegmentMount{.name = "", .bytes = 1}), Errc::invalid_argument, "name");
    says(f.master.handle(store::SegmentMount{.name = "x"}), Errc::invalid_argument, "no bytes");
    says(f.master.handle(store::SegmentMount{.name = "x", .offset = 2, .bytes = ~0ULL}), Errc::out_of_range, "'x'");
    says(f.master.wait_for({"a", "b", "c"}, std::make_shared<CountingWaiter>()), Errc::too_large, "3 keys");
    CHECK(f.master.stats().objects == 0);
    CHECK_THROWS(Master<>({.segment_ttl = Duration::zero()}));
}

TEST_CASE("master: any policies that model the concepts will do") {
    auto f = MasterFixture<Minimal>(4);
    for (int i = 0; i < 10; ++i) CHECK(f.put(std::to_string(i)).outcome == Errc::ok);
    CHECK(f.has("9"));
    CHECK_FALSE(f.has("5"));
    CHECK(f.master.stats().eviction == "minimal");
}

TEST_CASE("master: what is excluded gets no writes, what is preferred gets them first, and what is avoided none of its "
          "rack") {
    auto fixture = MasterFixture<ManualMaster>(8);
    const auto first = fixture.segment, second = fixture.mount("node-2", 8), third = fixture.mount("node-3", 8);
    const auto where = [&](const std::string& key, PutStart wanted) {
        const auto space = fixture.put(key, std::move(wanted));
        REQUIRE(space.outcome == Errc::ok);
        return space.replicas[0].segment;
    };
    for (int i = 0; i < 6; ++i) CHECK(where("e" + std::to_string(i), {.excluded = {second, third}}) == first);
    for (int i = 0; i < 6; ++i) CHECK(where("p" + std::to_string(i), {.preferred = {second}}) == second);
    CHECK(where("a", {.excluded = {third}, .avoid = {first}}) == second);
    // In a full segment something of it goes.
    for (int i = 0; i < 20; ++i) CHECK(where("f" + std::to_string(i), {.excluded = {second, third}}) == first);
    CHECK(fixture.start("none", {.excluded = {first, second, third}}).outcome == Errc::no_space);
    CHECK(fixture.start("large", {.sizes = {9 * block}}).outcome == Errc::too_large);
    CHECK(fixture.start("two", {.replicas = 3, .demand = store::ReplicaDemand::all, .excluded = {third}}).outcome ==
          Errc::no_space);
    CHECK(fixture.start("fewer", {.replicas = 3, .excluded = {third}}).replicas.size() == 2);
}
