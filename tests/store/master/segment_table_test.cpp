// labels: unit
#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/store/master/segment_table.hpp>
#include <mooncake/store/placement/power_of_two.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;
using namespace std::chrono_literals;

namespace {
using Table = SegmentTable<OffsetAllocator, PowerOfTwoChoices>;
const auto start = TimePoint{} + 1h;

std::uint32_t mount(Table& table, const std::string& name, std::uint64_t bytes) {
    return table.mount({.name = name, .generation = 1, .host = name, .bytes = bytes}, start).value();
}
} // namespace

TEST_CASE("segment table: replicas are in distinct segments, and what does not fit changes nothing") {
    auto table = Table(PowerOfTwoChoices(1));
    mount(table, "a", 256), mount(table, "b", 256), mount(table, "c", 64);
    CHECK(table.capacity() == 576);
    CHECK(table.as_large_as(128) == 2);
    auto extents = Extents();
    REQUIRE(table.allocate(64, 3, extents));
    CHECK(std::set<Segment*>{extents[0].segment, extents[1].segment, extents[2].segment}.size() == 3);
    CHECK(std::set<std::uint64_t>{extents[0].epoch, extents[1].epoch, extents[2].epoch}.size() == 3);
    CHECK_FALSE(table.allocate(64, 3, extents));
    CHECK(extents.size() == 3);
    CHECK(table.free_bytes() == 576 - 3 * 64);
    REQUIRE(table.allocate(192, 2, extents));
    CHECK(table.free_bytes() == 0);
    for (std::size_t i = 0; i < extents.size(); ++i) table.free(extents[i], i < 3 ? 64 : 192);
    CHECK(table.free_bytes() == table.capacity());
}

TEST_CASE("segment table: a segment whose free bytes lie in pieces is passed over for one where they do not") {
    auto table = Table(PowerOfTwoChoices(2));
    const auto broken = mount(table, "broken", 10 * 64);
    auto pieces = Extents();
    for (int i = 0; i < 10; ++i) REQUIRE(table.allocate(64, 1, pieces));
    for (std::size_t i = 0; i < 10; i += 2) table.free(pieces[i], 64);
    const auto whole = mount(table, "whole", 40 * 64);
    for (int i = 0; i < 20; ++i) {
        auto extents = Extents();
        REQUIRE(table.allocate(128, 1, extents));
        CHECK(extents[0].segment->info.segment == whole);
    }
    auto extents = Extents();
    CHECK_FALSE(table.allocate(128, 1, extents));
    CHECK_FALSE(table.allocate(64, 2, extents));
    CHECK(extents.empty());
    REQUIRE(table.allocate(64, 1, extents));
    CHECK(extents[0].segment->info.segment == broken);
}

TEST_CASE("segment table: a dead segment is kept until its last extent is given back") {
    auto table = Table(PowerOfTwoChoices(3));
    const auto segment = mount(table, "a", 640);
    auto extents = Extents();
    REQUIRE(table.allocate(64, 1, extents));
    REQUIRE(table.allocate(64, 1, extents));
    CHECK(table.expire(start + 3s, 3s) == 0);
    CHECK(table.heartbeat(segment, 1, start + 3s).has_value());
    CHECK(table.expire(start + 6s, 3s) == 0);
    CHECK(table.expire(start + 6s + 1ns, 3s) == 1);
    CHECK(table.size() == 0);
    CHECK(table.capacity() == 0);
    CHECK(table.free_bytes() == 0);
    CHECK_FALSE(extents[0].segment->alive);
    CHECK(extents[0].segment->info.name == "a");
    CHECK_FALSE(table.allocate(64, 1, extents));
    CHECK(table.dead() == 1);
    table.free(extents[0], 64);
    CHECK(table.dead() == 1);
    table.free(extents[1], 64);
    CHECK(table.dead() == 0);
    CHECK(table.heartbeat(segment, 1, start).error() == Errc::not_found);
}
