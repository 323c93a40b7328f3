// labels: io
#include <mooncake/engine/batch.hpp>

#include "pair.hpp"

using namespace mooncake;
using namespace mooncake::test;

TEST_CASE("batch: requests to several segments, both ways, each with its own report") {
    auto pair = EnginePair();
    auto other = Engine(pair.runtime, pair.config("other"));
    const auto first = pair.arena(2 * MiB);
    auto memory = std::vector<std::byte>(2 * MiB);
    const auto second = pair.runtime.run(other.register_memory(memory, Rights::read_write)).value();
    const auto a = pair.open(), b = pair.runtime.run(pair.user.open("other")).value();
    testing::fill(first->bytes, 1);
    testing::fill(memory, 2);
    auto got = std::vector<std::byte>(600'000), put = std::vector<std::byte>(200'000);
    testing::fill(put, 3);
    auto batch = pair.user.batch();
    const auto pages = std::vector<MutableBytes>{MutableBytes(got).subspan(500'000, 100'000), MutableBytes(),
                                                 MutableBytes(got).subspan(400'000, 100'000)};
    batch.read(MutableBytes(got).first(200'000), a, first->offset);
    batch.read(MutableBytes(got).subspan(200'000, 200'000), b, second->offset + 11);
    batch.write(put, a, first->offset + 1 * MiB);
    batch.read(pages, a, first->offset + 300'000);
    batch.write(put, b, second->offset + 2 * MiB - 100'000); // half of it lies beyond the end
    batch.read(MutableBytes(), a, first->offset);
    batch.read(MutableBytes(got).first(10), a, ~std::uint64_t{0} - 5);
    const auto report = pair.runtime.run(batch.submit({.deadline = 20s})).value();
    REQUIRE(report.requests.size() == 7);
    const auto outcomes =
        std::vector{Errc::ok, Errc::ok, Errc::ok, Errc::ok, Errc::out_of_range, Errc::ok, Errc::out_of_range};
    const auto bytes = std::vector<std::uint64_t>{200'000, 200'000, 200'000, 200'000, 0, 0, 0};
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        CAPTURE(i);
        CHECK(report.requests[i].outcome == outcomes[i]);
        CHECK(report.requests[i].bytes == bytes[i]);
    }
    CHECK_FALSE(report.all_ok());
    CHECK(testing::same(ConstBytes(got).first(200'000), first->bytes.first(200'000)));
    CHECK(testing::same(ConstBytes(got).subspan(200'000, 200'000), ConstBytes(memory).subspan(11, 200'000)));
    CHECK(testing::same(ConstBytes(got).subspan(500'000), first->bytes.subspan(300'000, 100'000)));
    CHECK(testing::same(ConstBytes(got).subspan(400'000, 100'000), first->bytes.subspan(400'000, 100'000)));
    CHECK(testing::same(put, first->bytes.subspan(1 * MiB, put.size())));
    pair.runtime.run(other.close());
}

TEST_CASE("batch: what cannot be carried out at all is said before anything moves") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(100);
    auto nowhere = pair.user.batch();
    nowhere.read(memory, Engine::Segment(), 0);
    CHECK(pair.runtime.run(nowhere.submit()).error() == Errc::invalid_argument);
    auto scattered = pair.user.batch();
    const auto spans = std::vector<MutableBytes>{MutableBytes(memory).first(50), MutableBytes(memory).last(50)};
    scattered.read(spans, segment, region->offset);
    CHECK(pair.runtime.run(scattered.submit({.digest = Digest::xxh3})).error() == Errc::invalid_argument);
    CHECK(pair.runtime.run(scattered.submit()).value().all_ok());
    auto empty = pair.user.batch();
    CHECK(pair.runtime.run(empty.submit()).value().all_ok());
}

TEST_CASE("batch: a deadline ends what a faulty network keeps, and the memory is the caller's again") {
    auto pair = EnginePair();
    const auto region = pair.arena(8 * MiB);
    const auto segment = pair.open();
    for (auto* control : {&pair.loopback, &pair.shm, &pair.tcp}) control->set({.drop = 1});
    auto memory = std::vector<std::byte>(8 * MiB);
    const auto start = SteadyClock{}.now();
    CHECK(pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 50ms})).error() ==
          Errc::timed_out);
    CHECK(pair.runtime.run(with_deadline(pair.user.read(memory, segment, region->offset), 50ms)).has_error());
    CHECK(SteadyClock{}.now() - start < 10s);
    for (auto* control : {&pair.loopback, &pair.shm, &pair.tcp}) control->set({.delay = 1ms, .reorder = 1});
    testing::fill(region->bytes, 9);
    CHECK(pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s})).has_value());
    CHECK(testing::same(memory, region->bytes));
}

TEST_CASE("batch: one that is prepared is submitted again and again, and moves what is there each time") {
    auto pair = EnginePair();
    const auto region = pair.arena(2 * MiB);
    const auto segment = pair.open();
    auto got = std::vector<std::byte>(400'000), put = std::vector<std::byte>(100'000);
    auto batch = pair.user.batch();
    batch.read(MutableBytes(got).first(200'000), segment, region->offset);
    batch.write(put, segment, region->offset + 1 * MiB);
    batch.read(MutableBytes(got).last(200'000), segment, region->offset + 300'000);
    auto prepared = pair.user.prepare(std::move(batch));
    CHECK(prepared.batch().size() == 3);
    for (auto round = 0U; round < 5; ++round) {
        CAPTURE(round);
        testing::fill(region->bytes.first(1 * MiB), round);
        testing::fill(put, 100 + round);
        const auto digest = round == 3 ? Digest::xxh3 : Digest::none; // planned anew, and once more after it
        const auto report = pair.runtime.run(prepared.submit({.deadline = 20s, .digest = digest})).value();
        REQUIRE(report.all_ok());
        CHECK(testing::same(ConstBytes(got).first(200'000), region->bytes.first(200'000)));
        CHECK(testing::same(ConstBytes(got).last(200'000), region->bytes.subspan(300'000, 200'000)));
        CHECK(testing::same(put, region->bytes.subspan(1 * MiB, put.size())));
        CHECK(report.requests[0].attempts == 1);
        CHECK(report.requests[0].checksums.size() == (round == 3 ? 1 : 0));
    }
    // What became of one submission says nothing of the next.
    const auto failed = pair.runtime.run(prepared.submit({.deadline = Deadline(0ns)})).value();
    CHECK(failed.requests[0].outcome == Errc::timed_out);
    CHECK(pair.runtime.run(prepared.submit({.deadline = 20s})).value().all_ok());
}

TEST_CASE("batch: one that is prepared is submitted once at a time") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    pair.shm.set({.delay = 200ms});
    pair.loopback.set({.delay = 200ms});
    auto got = std::vector<std::byte>(1000);
    auto batch = pair.user.batch();
    batch.read(got, segment, region->offset);
    auto prepared = pair.user.prepare(std::move(batch));
    const auto twice = [&]() -> Task<int> {
        auto tasks = std::vector<Task<BatchReport>>();
        for (auto i = 0; i < 2; ++i) tasks.push_back(prepared.submit({.deadline = 20s}));
        const auto reports = co_await all_settled(std::move(tasks));
        auto worked = 0;
        for (const auto& report : reports) worked += report ? 1 : report.error() == Errc::conflict ? 10 : 1'000;
        co_return worked;
    };
    CHECK(pair.runtime.run(twice()).value() == 11);
    CHECK(pair.runtime.run(prepared.submit({.deadline = 20s})).value().all_ok());
}

TEST_CASE("batch: a report tells what a request took, and over what") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto got = std::vector<std::byte>(1 * MiB);
    auto read = [&] {
        return pair.runtime.run(pair.user.read(got, segment, region->offset, {.deadline = 20s})).value();
    };
    CHECK_FALSE(pair.user.expected_time(segment, 1 * MiB).has_value());
    const auto first = read();
    CHECK(first.transport == "loopback");
    CHECK(first.attempts == 1);
    CHECK(first.devices == 1);
    pair.loopback.set({.fail_from_nth = 1});
    pair.shm.set({.fail_from_nth = 1});
    const auto third = read();
    CHECK(third.transport == "tcp");
    CHECK(third.attempts == 3);
    CHECK(third.moving > Duration::zero());
    CHECK(third.queued < third.moving + 1s);
    const auto expected = pair.user.expected_time(segment, 1 * MiB);
    REQUIRE(expected.has_value()); // of tcp: the others rest
    CHECK(*expected > Duration::zero());
    CHECK(pair.user.expected_time(segment, 1 * GiB).value() > 10 * *expected);
}

TEST_CASE("batch: a probe says of each way whether it works, and why not") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    pair.shm.set({.fail_from_nth = 1});
    pair.tcp.set({.delay = 10s});
    const auto probes = pair.runtime.run(pair.user.probe(segment, 300ms)).value();
    REQUIRE(probes.size() == 3);
    CHECK(probes[0].transport == "loopback");
    CHECK(probes[0].outcome == Errc::ok);
    CHECK(probes[1].transport == "shm");
    CHECK(probes[1].outcome == Errc::injected_fault);
    CHECK(probes[2].transport == "tcp");
    CHECK(probes[2].outcome == Errc::timed_out);
    CHECK(probes[2].round_trip > 200ms);
    CHECK(probes[2].description.find(':') != std::string::npos);
    pair.shm.set({});
    CHECK(pair.runtime.run(pair.user.probe(segment, 5s)).value()[1].outcome == Errc::ok);
    CHECK(pair.runtime.run(pair.user.probe(Engine::Segment(), 5s)).error() == Errc::invalid_argument);
}

TEST_CASE("batch: a region that was registered after the segment was opened is found, whatever was there before") {
    auto pair = EnginePair();
    const auto before = pair.arena(1 * MiB);
    const auto segment = pair.open();
    const auto after = pair.arena(1 * MiB);
    CHECK(segment.key_for(after->offset, Direction::read) == 0); // and not the one of the region before it
    auto got = std::vector<std::byte>(1000);
    testing::fill(after->bytes, 9);
    CHECK(pair.runtime.run(pair.user.read(got, segment, after->offset, {.deadline = 5s})).has_value());
    CHECK(testing::same(got, after->bytes.first(got.size())));
    CHECK(segment.key_for(before->offset + 1 * MiB - 1, Direction::read) != 0);
}
