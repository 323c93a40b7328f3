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
