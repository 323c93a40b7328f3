// labels: io coroutine
#include <mooncake/store/journal/event_ring.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include "master/master_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;

namespace {

struct Recording : mooncake::testing::ManualMaster {
    using Journal = EventRing;
};
using Fixture = mooncake::testing::MasterFixture<Recording>;

/// What happened since it was asked last, in words.
struct Reader {
    std::vector<std::string> read(Master<Recording>& master) {
        const auto reply = master.read({.after = last, .term = term, .limit = 100}).value();
        last = reply.last;
        term = reply.term;
        gap = reply.gap == store::EventGap::some;
        auto words = std::vector<std::string>();
        for (const auto& event : reply.events)
            words.push_back(std::string(std::array{"stored ", "evicted ", "removed ", "lost ",
                                                   "expired "}[static_cast<std::size_t>(event.kind)]) +
                            event.key);
        return words;
    }
    std::uint64_t last = 0, term = 0;
    bool gap = false;
};
using Words = std::vector<std::string>;

struct ServedMaster : DefaultMasterTraits {
    using Journal = EventRing;
};

} // namespace

TEST_CASE("events: tell what becomes visible and what goes, once, and nothing of what was never seen") {
    auto f = Fixture(3);
    auto reader = Reader();
    CHECK(reader.read(f.master).empty());
    f.put("a");
    f.put("a"); // there already
    CHECK(reader.read(f.master) == Words{"stored a"});
    const auto b = f.start("b");
    f.abort("b", b.version, store::WriterState::settled);
    CHECK(reader.read(f.master).empty());
    CHECK(f.end("b", b.version) == Errc::not_found);
    f.put("b");
    f.put("c");
    f.put("d"); // no room: a goes
    CHECK(reader.read(f.master) == Words{"stored b", "stored c", "evicted a", "stored d"});
    CHECK(f.remove("b") == Errc::ok);
    CHECK(f.remove("b") == Errc::not_found);
    CHECK(reader.read(f.master) == Words{"removed b"});
    const auto replaced = f.put("c", {.mode = WriteMode::upsert});
    const auto reply = f.master.read({.after = reader.last, .term = reader.term}).value();
    REQUIRE(reply.events.size() == 1); // the version before goes with that
    CHECK(reply.events[0].version == replaced.version);
    CHECK(reply.events[0].size == mooncake::testing::block);
    CHECK(reader.read(f.master) == Words{"stored c"});
    CHECK(f.master.handle(store::Unmount{.segment = f.segment, .generation = 1}).has_value());
    auto gone = reader.read(f.master);
    std::ranges::sort(gone);
    CHECK(gone == Words{"lost c", "lost d"});
    CHECK_FALSE(reader.gap);
}

TEST_CASE("events: an object whose time is over goes, for who looks and for who is told, and its readers finish") {
    auto f = Fixture(8);
    auto reader = Reader();
    f.put("short", {.ttl_ms = 100});
    f.put("long", {.ttl_ms = 10'000});
    f.put("ever");
    const auto late = f.start("late", {.ttl_ms = 50});
    const auto got = f.get({"short"});
    f.clock.advance(99ms);
    CHECK(f.has("short"));
    CHECK(f.end("late", late.version) == Errc::not_found);
    f.clock.advance(1ms);
    CHECK_FALSE(f.has("short"));
    CHECK(f.get({"short"}).objects[0].outcome == Errc::not_found);
    CHECK(f.master.stats().quarantined_bytes >= mooncake::testing::block); // its reader is not done
    CHECK(reader.read(f.master) == Words{"stored short", "stored long", "stored ever", "expired short"});
    CHECK(f.put("short").outcome == Errc::ok); // anew, for ever
    f.put("long", {.mode = WriteMode::upsert, .ttl_ms = 60'000});
    f.clock.advance(20s); // the life of the version before ends nobody's
    CHECK(f.master.expire().lives == 0);
    CHECK(f.has("long"));
    CHECK(f.has("short"));
    f.clock.advance(40s);
    CHECK(f.master.expire().lives == 1);
    CHECK_FALSE(f.has("long"));
    CHECK(f.has("ever"));
    CHECK(f.master.handle(store::Release{{got.lease}}).error() == Errc::lease_expired);
    CHECK(f.master.stats().used_bytes == 2 * mooncake::testing::block);
}

TEST_CASE("events: a replica that a reader reports is news when it was the last") {
    auto f = Fixture(4);
    f.mount("node-2", 4);
    auto reader = Reader();
    f.put("a", {.replicas = 2});
    const auto got = f.get({"a"}).objects[0];
    const auto bad = [&](std::size_t replica) {
        return store::BadReplica{.key = "a",
                                 .version = got.version,
                                 .segment = got.replicas[replica].segment,
                                 .epoch = got.replicas[replica].epoch};
    };
    CHECK(f.master.handle(store::ReportBad{.replicas = {bad(0)}}).has_value());
    CHECK(reader.read(f.master) == Words{"stored a"});
    CHECK(f.master.handle(store::ReportBad{.replicas = {bad(1), bad(1)}}).has_value());
    CHECK(reader.read(f.master) == Words{"lost a"});
}

TEST_CASE("events: who knew another master, or too little, is told that there is a gap") {
    auto f = Fixture(8);
    f.put("a");
    const auto other = f.master.read({.after = 1, .term = 12345}).value();
    CHECK(other.gap == store::EventGap::some);
    REQUIRE(other.events.size() == 1); // from the beginning
    CHECK(f.master.read({.limit = 0}).error() == Errc::invalid_argument);
    CHECK(f.master.read({.limit = 10'001}).error().context() == "Events: limit is 10001, at least 1 and at most 10000");
    auto silent = mooncake::testing::MasterFixture<>(8);
    CHECK(silent.master.read({}).error() == Errc::not_supported);
}

TEST_CASE("events: an index that only follows them knows exactly what the master has, whatever happens") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        auto random = std::mt19937_64(seed);
        auto f = Fixture(20);
        auto index = std::map<std::string, std::uint64_t>();
        auto last = std::uint64_t{0}, term = std::uint64_t{0};
        auto open = std::vector<std::pair<std::string, std::uint64_t>>();
        for (int step = 0; step < 2'000; ++step) {
            const auto key = "key-" + std::to_string(random() % 40);
            switch (random() % 8) {
            case 0:
            case 1:
            case 2: {
                const auto space = f.start(key, {.write_deadline_ms = 1 + random() % 100,
                                                 .mode = random() % 2 == 0 ? WriteMode::upsert : WriteMode::create});
                if (space.outcome == Errc::ok) open.emplace_back(key, space.version);
                break;
            }
            case 3:
            case 4:
            case 5:
                if (open.empty()) break;
                (void)f.end(open.back().first, open.back().second);
                open.pop_back();
                break;
            case 6:
                (void)f.remove(key, random() % 2 == 0 ? store::RemoveMode::force : store::RemoveMode::unless_in_use);
                break;
            case 7:
                f.clock.advance(std::chrono::milliseconds(random() % 30));
                (void)f.master.expire();
                break;
            }
            if (random() % 10 != 0) continue;
            const auto reply = f.master.read({.after = last, .term = term, .limit = 10'000}).value();
            REQUIRE(reply.gap == store::EventGap::none);
            last = reply.last, term = reply.term;
            for (const auto& event : reply.events)
                if (event.kind == store::EventKind::stored) index[event.key] = event.version;
                else REQUIRE(index.erase(event.key) == 1);
            auto real = std::map<std::string, std::uint64_t>();
            f.master.audit(
                [&](std::string_view k, const store::ObjectDescriptor& d) { real[std::string(k)] = d.version; });
            REQUIRE(index == real);
        }
    }
}

TEST_CASE("events: over the network they come when they happen, and a wait that nothing ends is an empty answer") {
    auto runtime = Runtime({.threads = 2});
    auto config = MasterServer<ServedMaster>::Config();
    auto server = MasterServer<ServedMaster>(runtime, std::move(config));
    server.start();
    auto node_config = StoreNode<>::Config();
    node_config.master.rpc.server = server.endpoint();
    node_config.memory = {.bytes = 4 * MiB};
    auto node = StoreNode<>(runtime, std::move(node_config));
    REQUIRE(runtime.run(node.start()).has_value());
    auto store_config = ClusterStore::Config();
    store_config.master.rpc.server = server.endpoint();
    auto store = ClusterStore(runtime, std::move(store_config));

    const auto nothing = runtime.run(store.events(0, 0, {.wait = 20ms})).value();
    CHECK(nothing.events.empty());
    CHECK(nothing.term != 0);
    auto waited = Result<store::EventsReply>(Errc::closed);
    auto reader = std::jthread([&] { waited = runtime.run(store.events(0, nothing.term, {.wait = 9s})); });
    std::this_thread::sleep_for(30ms);
    const auto value = std::vector<std::byte>(100);
    const auto put = runtime.run(store.put("k", value)).value();
    reader.join();
    REQUIRE_MESSAGE(waited.has_value(), (waited ? "" : waited.error().message()));
    REQUIRE(waited->events.size() == 1);
    CHECK(waited->events[0].key == "k");
    CHECK(waited->events[0].version == put.version);
    CHECK(waited->events[0].size == 100);

    auto cancelled = Result<store::EventsReply>(Errc::timed_out);
    auto late = std::jthread([&] { cancelled = runtime.run(store.events(waited->last, waited->term, {.wait = 9s})); });
    std::this_thread::sleep_for(30ms);
    runtime.run(store.close());
    late.join();
    CHECK(cancelled.error() == Errc::closed);
    runtime.run(node.close());
    runtime.run(server.close());
}
