// labels: unit
#include <mooncake/core/task.hpp>
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/store/master/master.hpp>
#include <mooncake/store/master/slow_answers.hpp>

#include "master_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

struct ManualSieveMaster : ManualMaster {
    using Eviction = SieveEviction;
};

std::vector<std::string> keys_of(const std::string& prefix, std::size_t count) {
    auto keys = std::vector<std::string>();
    for (std::size_t i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(1'000'000 + i));
    return keys;
}

/// Puts one block under each of the keys.
template <class Fixture>
void fill(Fixture& f, const std::vector<std::string>& keys, std::uint64_t size = block) {
    for (std::size_t i = 0; i < keys.size(); i += 10'000) {
        auto part =
            std::vector<std::string>(keys.begin() + static_cast<std::ptrdiff_t>(i),
                                     keys.begin() + static_cast<std::ptrdiff_t>(std::min(i + 10'000, keys.size())));
        const auto started =
            f.master.handle(store::PutStart{.keys = part, .sizes = std::vector<std::uint64_t>(part.size(), size)})
                .value();
        auto ended = PutEnd();
        for (std::size_t j = 0; j < part.size(); ++j) {
            REQUIRE(started.objects[j].outcome == Errc::ok);
            ended.objects.push_back({.key = part[j], .version = started.objects[j].version, .checksums = {1}});
        }
        REQUIRE(f.master.handle(ended).has_value());
    }
}

/// Leases those of `keys` that lie in the fixture's first segment.
GetReply lease_first_segment(MasterFixture<>& f, const std::vector<std::string>& keys) {
    auto kept = std::vector<std::string>();
    for (const auto& key : keys) {
        const auto found = f.get({key});
        if (found.objects.at(0).replicas[0].segment == f.segment) kept.push_back(key);
        REQUIRE(f.master.handle(store::Release{{found.lease}}).has_value());
    }
    return f.get(kept);
}

/// The least time that `action` took, of a few: what the machine does beside us does not count.
template <class Action>
std::chrono::duration<double, std::milli> least_time(int times, const Action& action) {
    auto least = std::chrono::duration<double, std::milli>::max();
    for (int i = 0; i < times; ++i) {
        const auto start = std::chrono::steady_clock::now();
        action();
        least = std::min<std::chrono::duration<double, std::milli>>(least, std::chrono::steady_clock::now() - start);
    }
    return least;
}

} // namespace

TEST_CASE("put: one that cannot succeed evicts nothing") {
    auto f = MasterFixture(100);
    fill(f, keys_of("cached/", 60));
    fill(f, keys_of("read/", 30));
    const auto lease = f.get(keys_of("read/", 30));
    REQUIRE(f.start("pinned", {.sizes = {5 * block}, .pin = store::Pin::hard}).outcome == Errc::ok);
    REQUIRE(f.start("writing", {.sizes = {5 * block}}).outcome == Errc::ok);
    for (const auto blocks : {61, 62, 61})
        CHECK(f.start("large", {.sizes = {blocks * block}}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 0);
    CHECK(f.start("small", {.sizes = {30 * block}}).outcome == Errc::ok);
    CHECK(f.start("large", {.sizes = {61 * block}}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 30);
    CHECK(f.start("fits", {.sizes = {30 * block}}).outcome == Errc::ok);
    CHECK(f.master.stats().evictions == 60);
}

TEST_CASE("put: the later keys of a batch that cannot fit evict nothing") {
    auto f = MasterFixture(100);
    fill(f, keys_of("cached/", 100));
    const auto reply = f.master
                           .handle(store::PutStart{.keys = {"a", "b", "c", "d"},
                                                   .sizes = {10 * block, 91 * block, 95 * block, 3 * block}})
                           .value();
    CHECK(reply.objects[0].outcome == Errc::ok);
    CHECK(reply.objects[1].outcome == Errc::no_space);
    CHECK(reply.objects[2].outcome == Errc::no_space);
    CHECK(reply.objects[3].outcome == Errc::ok);
    CHECK(f.master.stats().evictions == 13);
}

TEST_CASE("put: replicas that would need more segments with room than there are evict nothing") {
    auto f = MasterFixture(10);
    f.mount("node-2", 10);
    fill(f, keys_of("cached/", 20));
    const auto lease = lease_first_segment(f, keys_of("cached/", 20));
    CHECK(f.start("two", {.replicas = 2}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 0);
    CHECK(f.start("one").outcome == Errc::ok);
    CHECK(f.master.stats().evictions >= 1);
}

TEST_CASE("put: a segment whose objects are all leased makes replicas impossible, however much the other one has") {
    auto f = MasterFixture(90);
    f.mount("node-2", 110);
    fill(f, keys_of("cached/", 200));
    const auto lease = lease_first_segment(f, keys_of("cached/", 200));
    CHECK(f.start("two", {.replicas = 2}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 0);
}

TEST_CASE("put: one whose bytes would lie between others that stay evicts nothing") {
    auto f = MasterFixture(100);
    for (int i = 0; i < 10; ++i) {
        fill(f, keys_of("cached/" + std::to_string(i), 4));
        REQUIRE(f.put("pinned" + std::to_string(i), {.sizes = {block}, .pin = store::Pin::hard}).outcome == Errc::ok);
        fill(f, keys_of("cached//" + std::to_string(i), 5)); // nine blocks between two that stay
    }
    CHECK(f.start("large", {.sizes = {10 * block}}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 0);
    const auto lease = f.get({"cached//31000002"});
    REQUIRE(lease.objects.at(0).outcome == Errc::ok);
    const auto reply = f.master.handle(store::PutStart{.keys = {"a", "b"}, .sizes = {9 * block, 9 * block}}).value();
    CHECK(reply.objects[0].outcome == Errc::ok);
    CHECK(reply.objects[1].outcome == Errc::ok);
    CHECK(f.master.stats().evictions >= 18);
    const auto before = f.master.stats().evictions;
    CHECK(f.start("large", {.sizes = {10 * block}}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == before);
    CHECK(f.remove("pinned5") == Errc::ok);
    CHECK(f.start("large", {.sizes = {10 * block}}).outcome == Errc::ok);
}

TEST_CASE("put: the place of one that was evicted for another key of the batch is not counted twice") {
    auto f = MasterFixture(20);
    REQUIRE(f.put("large", {.sizes = {10 * block}}).outcome == Errc::ok);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(f.put("pinned" + std::to_string(i), {.pin = store::Pin::hard}).outcome == Errc::ok);
        REQUIRE(f.put("small" + std::to_string(i)).outcome == Errc::ok);
    }
    const auto reply = f.master.handle(store::PutStart{.keys = {"a", "b"}, .sizes = {10 * block, 3 * block}}).value();
    CHECK(reply.objects[0].outcome == Errc::ok);
    CHECK(reply.objects[1].outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 1);
}

TEST_CASE("put: what is in quarantine or waits for a fence is in the way of one piece, too") {
    auto f = MasterFixture(10);
    fill(f, keys_of("before/", 5));
    REQUIRE(f.put("read").outcome == Errc::ok);
    fill(f, keys_of("after/", 4));
    const auto lease = f.get({"read"});
    REQUIRE(f.remove("read", RemoveMode::force) == Errc::ok); // its bytes stay while the lease does
    CHECK(f.start("large", {.sizes = {6 * block}}).outcome == Errc::no_space);
    CHECK(f.master.stats().evictions == 0);
    REQUIRE(f.master.handle(store::Release{{lease.lease}}).has_value());
    CHECK(f.start("large", {.sizes = {6 * block}}).outcome == Errc::ok);
}

TEST_CASE("put: a new empty segment in a full cluster does not get every write, unless nothing may go") {
    auto f = MasterFixture(1'000);
    for (int i = 2; i <= 9; ++i) f.mount("node-" + std::to_string(i), 1'000);
    fill(f, keys_of("old/", 9'000));
    REQUIRE(f.master.stats().evictions == 0);
    const auto added = f.mount("node-10", 1'000);
    const auto writes_to_it = [&](const std::string& prefix, int count) {
        auto writes = 0;
        for (int i = 0; i < count; ++i) {
            const auto space = f.put(prefix + std::to_string(i));
            REQUIRE(space.outcome == Errc::ok);
            writes += space.replicas[0].segment == added ? 1 : 0;
        }
        return writes;
    };
    CHECK(writes_to_it("new/", 1'000) < 300); // a tenth is its share; it may have twice that
    const auto evictions = f.master.stats().evictions;
    CHECK(evictions > 700);
    auto all = std::vector<std::string>();
    for (const auto& key : keys_of("old/", 9'000))
        if (f.has(key)) all.push_back(key);
    const auto lease = f.get(all);
    for (int i = 0; i < 1'000; ++i) (void)f.get({"new/" + std::to_string(i)});
    CHECK(writes_to_it("more/", 500) == 500);
    CHECK(f.master.stats().evictions == evictions);
}

TEST_CASE_TEMPLATE("put: a batch of 1,000 keys is soon refused when 200,000 objects are leased", Traits, ManualMaster,
                   ManualSieveMaster) {
    constexpr std::size_t count = 200'000;
    auto f = MasterFixture<Traits>(count);
    const auto keys = keys_of("read/", count);
    fill(f, keys);
    auto leases = std::vector<std::uint64_t>();
    for (std::size_t i = 0; i < count; i += 50'000) {
        const auto first = keys.begin() + static_cast<std::ptrdiff_t>(i);
        leases.push_back(f.get({first, first + 50'000}).lease);
    }
    const auto wanted = PutStart{.keys = keys_of("new/", 1'000), .sizes = std::vector<std::uint64_t>(1'000, block)};
    const auto took = least_time(3, [&] {
        const auto reply = f.master.handle(wanted).value();
        for (const auto& space : reply.objects) REQUIRE(space.outcome == Errc::no_space);
    });
    MESSAGE("refused in ", took.count(), " ms");
    CHECK(took.count() < 500); // 20, optimised and alone on its core; 1,800 when each key looked at each object
    CHECK(f.master.stats().evictions == 0);
}

TEST_CASE_TEMPLATE("put: evicting the few that may go does not look at 200,000 leased ones each time", Traits,
                   ManualMaster, ManualSieveMaster) {
    constexpr std::size_t count = 200'000, few = 300;
    auto f = MasterFixture<Traits>(count + few);
    const auto keys = keys_of("read/", count);
    fill(f, keys);
    fill(f, keys_of("cached/", few)); // the newest
    auto leases = std::vector<std::uint64_t>();
    for (std::size_t i = 0; i < count; i += 50'000) {
        const auto first = keys.begin() + static_cast<std::ptrdiff_t>(i);
        leases.push_back(f.get({first, first + 50'000}).lease);
    }
    const auto took = least_time(1, [&] {
        for (const auto& key : keys_of("new/", few)) REQUIRE(f.start(key).outcome == Errc::ok);
    });
    MESSAGE(few, " evictions in ", took.count(), " ms");
    CHECK(took.count() < 1'000); // 10, optimised and alone on its core; 300 times 3 when each looked at all
    CHECK(f.master.stats().evictions == few);
    // What is given up can go at once.
    REQUIRE(f.master.handle(store::Release{{leases.front()}}).has_value());
    CHECK(f.start("another").outcome == Errc::ok);
}

TEST_CASE("remove: it does not look at what is leased in quarantine") {
    constexpr std::size_t count = 200'000;
    auto f = MasterFixture(count + 10);
    const auto keys = keys_of("read/", count);
    fill(f, keys);
    auto leases = std::vector<std::uint64_t>();
    for (std::size_t i = 0; i < count; i += 50'000) {
        const auto first = keys.begin() + static_cast<std::ptrdiff_t>(i);
        leases.push_back(f.get({first, first + 50'000}).lease);
        REQUIRE(f.master.handle(store::Remove{.keys = {first, first + 50'000}, .mode = RemoveMode::force}).has_value());
    }
    CHECK(f.master.stats().quarantined_bytes == count * block);
    const auto took = least_time(5, [&] {
        for (int i = 0; i < 10; ++i) {
            f.put("a");
            REQUIRE(f.remove("a") == Errc::ok);
        }
    });
    MESSAGE("ten removals in ", took.count(), " ms");
    CHECK(took.count() < 8);
    for (const auto lease : leases) REQUIRE(f.master.handle(store::Release{{lease}}).has_value());
    (void)f.master.expire();
    CHECK(f.master.stats().quarantined_bytes == 0);
    CHECK(f.master.stats().used_bytes == 0);
}

TEST_CASE("list: a page of many objects lets others have their turn, and its caller give up") {
    auto f = MasterFixture(50'000);
    fill(f, keys_of("k/", 50'000));
    const auto turns_of = [&](Deadline deadline, Result<ListReply>& reply) {
        auto io = asio::io_context(1);
        asio::co_spawn(io, store::detail::in_steps(f.master, store::List{.prefix = "k/", .limit = 10}, deadline),
                       [&](const std::exception_ptr&, Result<ListReply> result) { reply = std::move(result); });
        auto turns = 0;
        while (io.run_one() != 0) ++turns;
        return turns;
    };
    auto reply = Result<ListReply>();
    CHECK(turns_of(Deadline(), reply) > 40);
    REQUIRE(reply.has_value());
    CHECK(reply->objects.size() == 10);
    CHECK(reply->objects.back().key == "k/1000009");
    CHECK(turns_of(Deadline(0s), reply) < 5);
    CHECK(reply.error() == Errc::timed_out);
    CHECK(f.master.list({.prefix = "k/", .after = "k/1049998"}).value().objects.size() == 1);
    auto all = std::size_t{0};
    for (auto after = std::string();;) {
        const auto page = f.master.list({.prefix = "k/", .after = after, .limit = 10'000}).value().objects;
        all += page.size();
        if (page.size() < 10'000) break;
        after = page.back().key;
    }
    CHECK(all == 50'000);
}

TEST_CASE("lease: those that are over end by reading and writing alone, though nobody turns the clock") {
    auto f = MasterFixture(1'000);
    f.put("a");
    SUBCASE("reading") {
        for (int i = 0; i < 10'000; ++i) {
            (void)f.get({"a"});
            f.clock.advance(100ms);
        }
        CHECK(f.master.stats().leases < 100); // a lease is good for 5 s
    }
    SUBCASE("writing") {
        for (int i = 0; i < 100; ++i) (void)f.get({"a"});
        f.clock.advance(5s);
        f.put("b");
        CHECK(f.master.stats().leases == 0);
        CHECK(f.master.stats().leased_bytes == 0);
    }
}

TEST_CASE("segments: mounting, finding and keeping ten thousand alive costs what ten did, each") {
    auto f = MasterFixture(0);
    auto ids = std::vector<std::uint32_t>();
    const auto mount = [&](std::size_t count) {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < count; ++i) ids.push_back(f.mount("node-" + std::to_string(ids.size()), 1));
        return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start) / count;
    };
    (void)mount(9'000);
    const auto each = mount(1'000);
    MESSAGE("the ten-thousandth in ", each.count(), " us");
    CHECK(each.count() < 200);
    const auto beats = least_time(3, [&] {
        for (std::size_t i = 0; i < ids.size(); i += 10)
            REQUIRE(f.master.handle(store::Heartbeat{.segment = ids[i], .generation = 1}).has_value());
    });
    CHECK(beats.count() < 100); // a thousand
    REQUIRE(f.master.handle(store::Unmount{.segment = ids[5'000], .generation = 1}).has_value());
    CHECK(f.master.handle(store::Heartbeat{.segment = ids[5'000], .generation = 1}).error() == Errc::not_found);
    CHECK(f.master.handle(store::Heartbeat{.segment = ids[5'001], .generation = 1}).has_value());
    CHECK(f.master.handle(store::Heartbeat{.segment = ids.back(), .generation = 1}).has_value());
    CHECK(f.mount("node-5000", 1) == ids.back() + 1);
}
