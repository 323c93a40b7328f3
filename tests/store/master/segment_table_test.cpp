// labels: unit
#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/store/master/segment_table.hpp>
#include <mooncake/store/placement/power_of_two.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
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

TEST_CASE("S8: a segment that drains gets no new writes, and what lies there stays until it is freed") {
    auto table = Table(PowerOfTwoChoices(6));
    const auto going = mount(table, "going", 1'024 * 64), staying = mount(table, "staying", 64 * 64);
    auto extents = Extents();
    REQUIRE(table.allocate({.bytes = 64, .replicas = 2}, extents));
    const auto& going_segment = *std::find_if(extents.begin(), extents.end(), [&](const Extent& extent) {
                                     return extent.segment->info.segment == going;
                                 })->segment;
    CHECK(table.as_large_as(64) == 2);
    CHECK(table.drain(going, 2).error() == Errc::stale_generation);
    CHECK(table.drain(99, 1).error() == Errc::not_found);
    REQUIRE(table.drain(going, 1).has_value());
    REQUIRE(table.drain(going, 1).has_value()); // once more
    CHECK(table.as_large_as(64) == 1);
    CHECK(table.as_large_as(65 * 64) == 0);
    CHECK(table.taking_writes() == 1);
    CHECK_FALSE(table.surely_has_room(65 * 64, 1, {}));
    CHECK_FALSE(table.lacks_room(going_segment, 1'024 * 64)); // evicting there makes no room
    CHECK(table.count_if([](const Segment*, std::uint64_t, std::uint64_t) { return true; }) == 1);
    CHECK_FALSE(table.allocate({.bytes = 64, .replicas = 2}, extents));
    mount(table, "going", 1'024 * 64); // as a node does that has missed an answer
    REQUIRE(table.heartbeat(going, 1, start + 1s).has_value());
    for (int i = 0; i < 63; ++i) {
        REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, extents));
        CHECK(extents[extents.size() - 1].segment->info.segment == staying);
    }
    CHECK_FALSE(table.allocate({.bytes = 64, .replicas = 1}, extents));
    CHECK(extents[0].usable());
    CHECK(extents[1].usable());
    for (const auto& extent : extents) table.free(extent, 64);
    CHECK(table.free_bytes() == table.capacity());
    REQUIRE(table.unmount(staying, 1).has_value());
    CHECK(table.as_large_as(64) == 0);
    CHECK(table.size() == 1);
}

TEST_CASE(
    "S4: a segment that is late with its heartbeat gets writes only where nothing else fits, until it is heard of") {
    auto table = Table(PowerOfTwoChoices(7));
    const auto late = mount(table, "late", 64 * 64), good = mount(table, "good", 4 * 64);
    const auto where = [&] {
        auto extents = Extents();
        REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, extents));
        return extents[0].segment->info.segment;
    };
    REQUIRE(table.heartbeat(good, 1, start + 2s).has_value());
    CHECK(table.expire(start + 2s + 1ms, 3s) == 0);
    for (int i = 0; i < 4; ++i) CHECK(where() == good);
    CHECK(where() == late);
    auto both = Extents();
    CHECK_FALSE(table.allocate({.bytes = 64, .replicas = 2}, both));
    const auto other = mount(table, "other", 64 * 64);
    CHECK(table.heartbeat(other, 1, start + 3s).has_value());
    for (int i = 0; i < 20; ++i) CHECK(where() == other);
    REQUIRE(table.heartbeat(late, 1, start + 3s).has_value());
    auto seen = std::set<std::uint32_t>();
    for (int i = 0; i < 20; ++i) seen.insert(where());
    CHECK(seen == std::set{late, other});
    REQUIRE(table.drain(late, 1).has_value());
    REQUIRE(table.heartbeat(good, 1, start + 4s).has_value());
    CHECK(table.expire(start + 5s + 1ms, 3s) == 0); // late once more, and no less draining
    REQUIRE(table.heartbeat(late, 1, start + 5s + 1ms).has_value());
    for (int i = 0; i < 20; ++i) CHECK(where() == other);
}

TEST_CASE("segment table: the second replica goes to another host also when the first choice lies in pieces") {
    auto table = Table(PowerOfTwoChoices(8));
    const auto on = [&](const std::string& name, const std::string& host, std::uint64_t bytes) {
        return table.mount({.name = name, .generation = 1, .host = host, .bytes = bytes}, start).value();
    };
    const auto broken = on("broken", "b", 64 * 64);
    auto pieces = Extents();
    for (int i = 0; i < 64; ++i) REQUIRE(table.allocate({.bytes = 64, .replicas = 1}, pieces));
    on("a1", "a", 1'024 * 64), on("a2", "a", 1'024 * 64), on("a3", "a", 1'024 * 64), on("c", "c", 1'024 * 64);
    for (std::size_t i = 0; i < pieces.size(); i += 2) table.free(pieces[i], 64);
    const auto free_before = table.free_bytes();
    for (int i = 0; i < 200; ++i) {
        auto extents = Extents();
        REQUIRE(table.allocate({.bytes = 128, .replicas = 2}, extents));
        CHECK(extents[0].segment->info.host != extents[1].segment->info.host);
        for (const auto& extent : extents) {
            CHECK(extent.segment->info.segment != broken);
            table.free(extent, 128);
        }
        CHECK(table.free_bytes() == free_before);
    }
    auto extents = Extents();
    CHECK_FALSE(table.allocate({.bytes = 128, .replicas = 5}, extents));
    CHECK(extents.empty());
    CHECK(table.free_bytes() == free_before);
    REQUIRE(table.allocate({.bytes = 64, .replicas = 5}, extents)); // what was tried has its room again
}

TEST_CASE("S4: racks are told apart by their names, and two replicas never share one while there is another") {
    auto table = Table(PowerOfTwoChoices(9));
    auto ids = std::vector<std::uint32_t>();
    for (const auto* name : {"a1", "a2", "a3", "a4", "b1", "c1"})
        ids.push_back(
            table.mount({.name = name, .generation = 1, .host = name, .bytes = 1'024 * 64, .rack = {name[0]}}, start)
                .value());
    for (int i = 0; i < 500; ++i) {
        auto extents = Extents();
        REQUIRE(table.allocate({.bytes = 64, .replicas = 2}, extents));
        CHECK(extents[0].segment->info.name[0] != extents[1].segment->info.name[0]);
        for (const auto& extent : extents) table.free(extent, 64);
    }
    CHECK(table.locate("", "") == Location{});
    CHECK(table.locate("elsewhere", "") == Location{});
    const auto a1 = table.locate("a1", "");
    CHECK(a1.host != 0);
    CHECK(a1.rack == table.locate("", "a").rack);
    CHECK(table.locate("elsewhere", "b") == Location{.rack = table.locate("b1", "").rack});
    CHECK(table.locate({ids[0], 99}) == std::vector{a1});
    REQUIRE(table.unmount(ids[4], 1).has_value());
    CHECK(table.locate("b1", "b") == Location{});
    CHECK(table.as_large_as(64, ids) == 0);
    CHECK(table.as_large_as(64, std::vector{ids[0]}) == 4);
}
