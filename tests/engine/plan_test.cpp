#include <mooncake/engine/batch.hpp>
#include <mooncake/engine/plan.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;
using engine::detail::make_plan;
using engine::detail::make_reports;

namespace {

struct FakeSegment {
    int id = 0;
    explicit operator bool() const noexcept { return id != 0; }
    std::uint64_t key_for(std::uint64_t offset, Direction) const noexcept { return 1'000 + offset; }
    friend bool operator==(const FakeSegment&, const FakeSegment&) = default;
};
struct FakeEngine {
    using Segment = FakeSegment;
};
using FakeBatch = Batch<FakeEngine>;

constexpr auto names = std::array<std::string_view, 2>{"first", "second"};

struct Fixture {
    FakeEngine engine;
    FakeBatch batch{engine};
    std::vector<std::byte> memory = std::vector<std::byte>(100'000);
    const FakeSegment a{1}, b{2};
};

} // namespace

TEST_CASE("plan: a request is cut into slices that cover it once, in order") {
    auto f = Fixture();
    f.batch.read(MutableBytes(f.memory).first(10'000), f.a, 7);
    const auto plan = make_plan(f.batch, Digest::none, 4'096).value();
    REQUIRE(plan.slices.size() == 3);
    auto covered = std::uint64_t{0};
    for (const auto& slice : plan.slices) {
        CHECK(slice.local == f.memory.data() + covered);
        CHECK(slice.remote == 7 + covered);
        CHECK(slice.key == 1'007); // of where the request begins: a region's key is one key
        CHECK(slice.outcome == Errc::no_path);
        covered += slice.length;
    }
    CHECK(covered == 10'000);
    CHECK(plan.groups.size() == 1);
}

TEST_CASE("plan: requests of one segment and direction become one group, whatever stood between them") {
    auto f = Fixture();
    const auto bytes = [&](std::size_t at) { return MutableBytes(f.memory).subspan(at * 100, 100); };
    f.batch.read(bytes(0), f.a, 0);
    f.batch.write(bytes(1), f.a, 100);
    f.batch.read(bytes(2), f.b, 200);
    f.batch.read(bytes(3), f.a, 300, 77);
    f.batch.write(bytes(4), f.a, 400);
    f.batch.read(MutableBytes(), f.b, 500);
    const auto plan = make_plan(f.batch, Digest::none, 4'096).value();
    REQUIRE(plan.groups.size() == 3);
    CHECK(plan.slices.size() == 5);
    auto seen = std::vector<std::uint32_t>();
    for (const auto& group : plan.groups)
        for (std::size_t i = group.first; i < group.first + group.count; ++i) {
            const auto& request = f.batch.requests()[plan.owners[i]];
            CHECK(request.segment == group.segment);
            CHECK(request.direction == group.direction);
            CHECK(plan.slices[i].remote == request.offset);
            CHECK(plan.slices[i].local == f.batch.spans(request).front().data());
            CHECK(plan.slices[i].key == (request.key != 0 ? request.key : 1'000 + request.offset));
            seen.push_back(plan.owners[i]);
        }
    CHECK(seen == std::vector<std::uint32_t>{0, 3, 1, 4, 2});
}

TEST_CASE("plan: what would overflow is refused, what names nothing is an error") {
    auto f = Fixture();
    f.batch.read(MutableBytes(f.memory).first(10), f.a, ~std::uint64_t{0} - 5);
    f.batch.read(MutableBytes(f.memory).first(5), f.a, ~std::uint64_t{0} - 5);
    const auto plan = make_plan(f.batch, Digest::none, 4'096).value();
    CHECK(plan.refused == std::vector<Errc>{Errc::out_of_range, Errc::ok});
    CHECK(plan.slices.size() == 1);
    f.batch.read(MutableBytes(f.memory).first(5), FakeSegment(), 0);
    CHECK(make_plan(f.batch, Digest::none, 4'096).error() == Errc::invalid_argument);
}

TEST_CASE("plan: reports give each request its bytes, its first failure, its transport and its checksums") {
    auto f = Fixture();
    f.batch.read(MutableBytes(f.memory), f.a, 0);
    f.batch.write(ConstBytes(f.memory).first(10), f.a, 0);
    f.batch.read(MutableBytes(f.memory).first(600 * 100), f.b, 0);
    auto plan = make_plan(f.batch, Digest::none, 40'000).value();
    REQUIRE(plan.slices.size() == 6); // 3, 2 and 1: the groups stand by segment and direction
    for (std::size_t i = 0; i < plan.slices.size(); ++i) {
        plan.slices[i].outcome = Errc::ok;
        plan.slices[i].digest = i;
        plan.moved_by[i] = static_cast<std::uint8_t>(plan.owners[i] % 2);
    }
    plan.slices[0].attempts = 1;
    plan.slices[1].attempts = 3;
    plan.slices[0].device = 2;
    plan.slices[1].device = 3;
    plan.slices[1].queued_us = 7;
    plan.slices[2].queued_us = 5;
    plan.slices[2].moving_us = 9;
    plan.slices[1].outcome = Errc::timed_out;
    plan.slices[2].outcome = Errc::out_of_range;
    const auto reports = make_reports(f.batch, plan, Digest::xxh3, names, std::array{true, false});
    REQUIRE(reports.size() == 3);
    CHECK(reports[0].outcome == Errc::timed_out);
    CHECK(reports[0].bytes == 40'000);
    CHECK(reports[0].checksums.empty());
    CHECK(reports[0].transport == "first");
    CHECK(reports[0].attempts == 3);
    CHECK(reports[0].devices == 0b100); // of what came
    CHECK(reports[0].queued == 7us);
    CHECK(reports[0].moving == 9us);
    CHECK(reports[1].devices == 1);
    CHECK(reports[1].outcome == Errc::ok);
    CHECK(reports[1].bytes == 10);
    CHECK(reports[1].transport == "second");
    CHECK((reports[0].self_verifying && !reports[1].self_verifying && reports[2].self_verifying));
    CHECK((reports[0].settled && reports[1].settled && reports[2].settled));
    plan.slices[0].settled = false;
    const auto unsettled = make_reports(f.batch, plan, Digest::xxh3, names, std::array{true, false});
    CHECK((!unsettled[0].settled && unsettled[1].settled && unsettled[2].settled));
    plan.moved_by[0] = 1; // a piece of it went another way
    const auto two_ways = make_reports(f.batch, plan, Digest::xxh3, names, std::array{true, false});
    CHECK_FALSE(two_ways[0].self_verifying);
    CHECK(two_ways[0].devices == 0);
    plan.reset();
    for (const auto& report : make_reports(f.batch, plan, Digest::xxh3, names, std::array{true, false})) {
        CHECK(report.outcome == Errc::no_path);
        CHECK(report.settled);
        CHECK(report.transport.empty());
        CHECK((report.attempts == 0 && report.devices == 0 && report.queued == 0s && report.moving == 0s));
    }
    CHECK(reports[2].bytes == 60'000);
    CHECK(reports[2].checksums.size() == 2);
}
