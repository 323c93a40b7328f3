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
    REQUIRE(table.allocate({.bytes = 64, .replicas = 3}, extents));
    CHECK(std::set<Segment*>{extents[0].segment, extents[1].segment, extents[2].segment}.size() == 3);
    CHECK(std::set<std::uint64_t>{extents[0].epoch, extents[1].epoch, extents[2].epoch}.size() == 3);
    CHECK_FALSE(table.allocate({.bytes = 64, .replicas = 3}, extents));
    CHECK(extents.size() == 3);
    CHECK(table.free_bytes() == 576 - 3 * 64);
    REQUIRE(table.allocate({.bytes = 192, .replicas = 2}, extents));
    CHECK(table.free_bytes() == 0);
    for (std::size_t i = 0; i < extents.size(); ++i) table.free(extents[i], i < 3 ? 64 : 192);
    CHECK(table.free_bytes() == table.capacity());
}

TEST_CASE("segment table: a segment whose free bytes lie in pieces is passed over for one where they do not") {
    auto table = Table(PowerOfTwoChoices(2));
    const auto broken = mount(table, "broken", 10 * 64);
    auto pieces = Extents();
    for (int i = 0; i < 10; ++i) REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, pieces));
    for (std::size_t i = 0; i < 10; i += 2) table.free(pieces[i], 64);
    const auto whole = mount(table, "whole", 40 * 64);
    for (int i = 0; i < 20; ++i) {
        auto extents = Extents();
        REQUIRE(table.allocate({.bytes = 128, .replicas = 1}, extents));
        CHECK(extents[0].segment->info.segment == whole);
    }
    auto extents = Extents();
    CHECK_FALSE(table.allocate({.bytes = 128, .replicas = 1}, extents));
    CHECK_FALSE(table.allocate({.bytes = 64, .replicas = 2}, extents));
    CHECK(extents.empty());
    REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, extents));
    CHECK(extents[0].segment->info.segment == broken);
}

TEST_CASE("segment table: a dead segment is kept until its last extent is given back") {
    auto table = Table(PowerOfTwoChoices(3));
    const auto segment = mount(table, "a", 640);
    auto extents = Extents();
    REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, extents));
    REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, extents));
    CHECK(table.expire(start + 3s, 3s) == 0);
    CHECK(table.heartbeat(segment, 1, start + 3s).has_value());
    CHECK(table.expire(start + 6s, 3s) == 0);
    CHECK(table.expire(start + 6s + 1ns, 3s) == 1);
    CHECK(table.size() == 0);
    CHECK(table.capacity() == 0);
    CHECK(table.free_bytes() == 0);
    CHECK_FALSE(extents[0].segment->alive);
    CHECK(extents[0].segment->info.name == "a");
    CHECK_FALSE(table.allocate({.bytes = 64, .replicas = 1}, extents));
    CHECK(table.dead() == 1);
    table.free(extents[0], 64);
    CHECK(table.dead() == 1);
    table.free(extents[1], 64);
    CHECK(table.dead() == 0);
    CHECK(table.heartbeat(segment, 1, start).error() == Errc::not_found);
}

TEST_CASE("segment table: when one goes from the middle, the others keep what is theirs") {
    auto table = Table(PowerOfTwoChoices(4));
    auto ids = std::vector<std::uint32_t>();
    for (const auto* name : {"a", "b", "c", "d"}) ids.push_back(mount(table, name, 4 * 64));
    auto extents = Extents();
    REQUIRE(table.allocate({.bytes = 64, .replicas = 4}, extents));
    REQUIRE(table.unmount(ids[1], 1).has_value());
    CHECK(table.free_bytes() == 3 * 3 * 64);
    for (const auto& extent : extents) table.free(extent, 64);
    CHECK(table.free_bytes() == 3 * 4 * 64);
    CHECK(table.capacity() == 3 * 4 * 64);
    for (const auto left : {0U, 2U, 3U}) CHECK(table.heartbeat(ids[left], 1, start + 10s).has_value());
    CHECK(table.expire(start + 11s, 3s) == 0);
    REQUIRE(table.unmount(ids[3], 1).has_value());
    CHECK(table.heartbeat(ids[2], 1, start + 12s).has_value());
    auto more = Extents();
    REQUIRE(table.allocate({.bytes = 4 * 64, .replicas = 2}, more));
    CHECK(std::set{more[0].segment->info.segment, more[1].segment->info.segment} == std::set{ids[0], ids[2]});
}

TEST_CASE("segment table: of two replicas of which only one fits, nothing is left") {
    auto table = Table(PowerOfTwoChoices(5));
    mount(table, "a", 4 * 64), mount(table, "b", 4 * 64);
    auto pieces = Extents();
    for (int i = 0; i < 4; ++i) REQUIRE(table.allocate({.bytes = 64, .replicas = 2}, pieces));
    // Enough is free in both, but in one of them in pieces.
    for (const auto& piece : pieces)
        if (piece.segment == pieces[0].segment || piece.at.offset % 128 == 0) table.free(piece, 64);
    const auto free_before = table.free_bytes();
    auto extents = Extents();
    CHECK_FALSE(table.allocate({.bytes = 128, .replicas = 2}, extents));
    CHECK(extents.empty());
    CHECK(table.free_bytes() == free_before);
    REQUIRE(table.allocate({.bytes = 128, .replicas = 1}, extents));
}
