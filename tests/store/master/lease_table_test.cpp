// labels: unit
#include <mooncake/store/lease/fixed_lease.hpp>
#include <mooncake/store/master/lease_table.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <set>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;
using namespace std::chrono_literals;

namespace {
const auto start = TimePoint{} + 1h;
auto freed = std::vector<Touch>();

std::unique_ptr<Object> object_of(std::uint64_t bytes) {
    return std::unique_ptr<Object>(new ("k") Object{
        .hash = 1, .key_bytes = 1, .size = bytes, .version = 1, .pin = store::Pin::none, .write_deadline = start});
}
LeaseTable<>::Covered cover(Object& object) {
    auto covered = LeaseTable<>::Covered();
    covered.add(object);
    return covered;
}
} // namespace

TEST_CASE("lease table: ids are not 0 and never come twice") {
    auto table = LeaseTable<>();
    auto ids = std::set<std::uint64_t>();
    for (int i = 0; i < 10'000; ++i) {
        const auto id = table.grant({}, start + 1s);
        CHECK(id != 0);
        ids.insert(id);
        if (i % 2 == 0) CHECK(table.release(id, freed));
    }
    CHECK(ids.size() == 10'000);
    CHECK(table.size() == 5'000);
    CHECK(table.expire(start + 1s, freed) == 5'000);
    CHECK(table.size() == 0);
}

TEST_CASE("lease table: bytes are counted once for an object, until its last lease ends") {
    auto table = LeaseTable<>();
    const auto object = object_of(10), other = object_of(5);
    const auto first = table.grant(cover(*object), start + 1s), second = table.grant(cover(*object), start + 2s);
    (void)table.grant(cover(*other), start + 3s);
    CHECK(table.held().bytes == 15);
    CHECK(table.release(first, freed));
    CHECK_FALSE(table.release(first, freed));
    CHECK(object->leased());
    CHECK(table.held().bytes == 15);
    CHECK(table.release(second, freed));
    CHECK_FALSE(object->leased());
    CHECK(table.held().bytes == 5);
    CHECK(table.expire(start + 3s, freed) == 1);
    CHECK(table.held().bytes == 0);
}

TEST_CASE("lease table: leases end in the order of their times, renewed ones later") {
    auto table = LeaseTable<>();
    const auto policy = FixedLease{.ttl = 5s};
    const auto early = object_of(1), late = object_of(1);
    const auto late_id = table.grant(cover(*late), start + 4s), early_id = table.grant(cover(*early), start + 2s);
    CHECK(table.expire(start + 1s, freed) == 0);
    CHECK(table.renew(late_id, start + 1s, policy) == Duration{5s});
    CHECK(table.expire(start + 2s, freed) == 1);
    CHECK_FALSE(early->leased());
    CHECK_FALSE(table.renew(early_id, start + 2s, policy).has_value());
    CHECK(table.expire(start + 6s - 1ns, freed) == 0);
    CHECK(late->leased());
    CHECK_FALSE(table.renew(late_id, start + 6s, policy).has_value());
    CHECK(table.expire(start + 6s, freed) == 1);
    CHECK_FALSE(late->leased());
}

TEST_CASE("lease table: those that decisions passed over are named when their last lease is given up") {
    auto table = LeaseTable<>();
    const auto object = object_of(10);
    object->slot = 7;
    const auto first = table.grant(cover(*object), start + 1s);
    (void)table.grant(cover(*object), start + 2s);
    object->leases |= Object::passed_over;
    auto named = std::vector<Touch>();
    CHECK(table.release(first, named));
    CHECK(named.empty());
    CHECK(table.expire(start + 2s, named) == 1);
    REQUIRE(named.size() == 1);
    CHECK(named.front().slot == 7);
    CHECK(named.front().version == 1);
    CHECK(named.front().evictable);
    CHECK(table.held().bytes == 0);
}

TEST_CASE("lease table: one that a decision has passed over counts like any other when it is leased again") {
    auto table = LeaseTable<>();
    const auto object = object_of(10);
    object->leases |= Object::passed_over;
    const auto lease = table.grant(cover(*object), start + 1s);
    CHECK(table.held().bytes == 10);
    CHECK(table.held().extents == 1);
    CHECK(table.release(lease, freed));
    CHECK(table.held().bytes == 0);
    CHECK(table.held().extents == 0);
}

TEST_CASE("lease table: a renewal never shortens") {
    auto table = LeaseTable<>();
    const auto object = object_of(10);
    const auto id = table.grant(cover(*object), start + 60s);
    const auto left = table.renew(id, start + 1s, FixedLease{.ttl = 5s});
    REQUIRE(left.has_value());
    CHECK(*left == 59s);
    CHECK(table.expire(start + 59s, freed) == 0);
}
