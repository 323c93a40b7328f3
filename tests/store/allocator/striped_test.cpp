#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/store/allocator/striped.hpp>
#include <mooncake/testing/allocator_conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <set>
#include <vector>

using namespace mooncake;

namespace {

template <class A>
constexpr std::uint64_t granule = A::granularity;

std::uint64_t sum(const std::vector<Stripe>& stripes) {
    const auto add = [](std::uint64_t bytes, const Stripe& stripe) { return bytes + stripe.bytes; };
    return std::accumulate(stripes.begin(), stripes.end(), std::uint64_t{0}, add);
}

/// A space of `extents` extents of `bytes`, of which a random half was freed.
struct HalfFreed {
    HalfFreed(std::uint64_t extents, std::uint64_t bytes, std::uint64_t seed) : allocator(extents * bytes) {
        auto all = std::vector<Allocation>();
        while (const auto allocation = allocator.allocate(bytes)) all.push_back(*allocation);
        auto random = std::mt19937_64(seed);
        std::shuffle(all.begin(), all.end(), random);
        for (std::size_t i = 0; i < all.size() / 2; ++i) allocator.free(all[i], bytes);
    }
    OffsetAllocator allocator;
};

} // namespace

TEST_CASE_TEMPLATE("striped: what fits in one piece is one; else the largest are taken first", A, OffsetAllocator,
                   testing::MinimalAllocator) {
    auto allocator = A(100 * granule<A>);
    auto all = std::vector<Allocation>();
    while (const auto allocation = allocator.allocate(granule<A>)) all.push_back(*allocation);
    const auto free_from = [&](std::uint64_t begin, std::uint64_t granules) {
        for (const auto& one : all)
            if (one.offset / granule<A> >= begin && one.offset / granule<A> < begin + granules)
                allocator.free(one, granule<A>);
    };
    free_from(10, 3);
    free_from(20, 10);
    free_from(40, 5);

    auto stripes = std::vector<Stripe>();
    REQUIRE(allocate_striped(allocator, 4 * granule<A>, 9, stripes));
    REQUIRE(stripes.size() == 1);
    CHECK(stripes[0].bytes == 4 * granule<A>);
    free_striped(allocator, stripes);
    stripes.clear();

    REQUIRE(allocate_striped(allocator, 17 * granule<A> - 1, 9, stripes));
    REQUIRE(stripes.size() == 3);
    CHECK(stripes[0].bytes == 10 * granule<A>);
    CHECK(stripes[0].at.offset == 20 * granule<A>);
    CHECK(stripes[1].bytes == 5 * granule<A>);
    CHECK(stripes[1].at.offset == 40 * granule<A>);
    CHECK(stripes[2].bytes == 2 * granule<A>);
    CHECK(stripes[2].at.offset == 10 * granule<A>);
    CHECK(allocator.free_bytes() == granule<A>);
    free_striped(allocator, stripes);
    CHECK(allocator.free_bytes() == 18 * granule<A>);
    CHECK(allocator.largest_free() == 10 * granule<A>);
}

TEST_CASE_TEMPLATE("striped: all or nothing", A, OffsetAllocator, testing::MinimalAllocator) {
    auto allocator = A(10 * granule<A>);
    auto all = std::vector<Allocation>();
    while (const auto allocation = allocator.allocate(granule<A>)) all.push_back(*allocation);
    auto stripes = std::vector<Stripe>();
    CHECK_FALSE(allocate_striped(allocator, 0, 9, stripes)); // even nothing takes a granule
    for (std::size_t i = 0; i < all.size(); i += 2) allocator.free(all[i], granule<A>);

    const auto kept = Stripe{.at = all[1], .bytes = granule<A>};
    stripes.push_back(kept);
    for (const auto bytes : {5 * granule<A> + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - granule<A> + 2})
        CHECK_FALSE(allocate_striped(allocator, bytes, 1'000, stripes));
    CHECK_FALSE(allocate_striped(allocator, 5 * granule<A>, 4, stripes));
    CHECK_FALSE(allocate_striped(allocator, granule<A>, 0, stripes));
    CHECK(stripes.size() == 1);
    CHECK(allocator.free_bytes() == 5 * granule<A>);

    REQUIRE(allocate_striped(allocator, 5 * granule<A>, 5, stripes));
    CHECK(stripes.size() == 6);
    CHECK(stripes[0].at.offset == kept.at.offset);
    CHECK(allocator.free_bytes() == 0);
    stripes.erase(stripes.begin());
    free_striped(allocator, stripes);
    stripes.clear();
    REQUIRE(allocate_striped(allocator, 0, 1, stripes));
    CHECK(sum(stripes) == granule<A>);
}

TEST_CASE("striped: one too many of them leaves all as it was, and none overlap") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        auto space = HalfFreed(200, 4 * KiB, seed);
        auto& allocator = space.allocator;
        const auto before = allocator.statistics();
        auto stripes = std::vector<Stripe>();
        const auto pieces = static_cast<std::uint32_t>(before.free_extents);
        REQUIRE(pieces > 10);
        CHECK_FALSE(allocate_striped(allocator, before.free_bytes, pieces - 1, stripes));
        CHECK(stripes.empty());
        CHECK(allocator.statistics().free_extents == before.free_extents);
        CHECK(allocator.largest_free() == before.largest_free);
        REQUIRE(allocate_striped(allocator, before.free_bytes, pieces, stripes));
        CHECK(sum(stripes) == before.free_bytes);
        auto offsets = std::set<std::uint64_t>();
        for (const auto& stripe : stripes)
            for (auto at = stripe.at.offset; at < stripe.at.offset + stripe.bytes; at += 4 * KiB)
                CHECK(offsets.insert(at).second);
    }
}

TEST_CASE("striped: after 32 KiB, of which a random half is freed, blocks of 8 MiB use 99 % of the space") {
    for (const std::uint64_t seed : {1, 2, 3}) {
        CAPTURE(seed);
        auto space = HalfFreed(GiB / (32 * KiB), 32 * KiB, seed);
        auto stripes = std::vector<Stripe>();
        CHECK_FALSE(space.allocator.allocate(8 * MiB).has_value());
        auto blocks = std::uint64_t{0};
        while (allocate_striped(space.allocator, 8 * MiB, 256, stripes)) ++blocks;
        CHECK(sum(stripes) == blocks * 8 * MiB);
        CHECK(space.allocator.statistics().use() >= .99);
    }
}
