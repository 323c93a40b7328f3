// labels: unit, conformance
#include <mooncake/core/bytes.hpp>
#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/testing/allocator_conformance.hpp>

#include "support/dying_words.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake;

namespace {

struct LacksAllocate {
    static constexpr std::uint64_t granularity = 64;
    explicit LacksAllocate(std::uint64_t) {}
    void free(const Allocation&, std::uint64_t) {}
    std::uint64_t free_bytes() const noexcept { return 0; }
    std::uint64_t largest_free() const noexcept { return 0; }
};
struct Whole : LacksAllocate {
    using LacksAllocate::LacksAllocate;
    std::optional<Allocation> allocate(std::uint64_t) { return Allocation(); }
};
struct LacksFree : Whole {
    using Whole::Whole;
    void free(const Allocation&, std::uint64_t) = delete;
};
struct FreeBytesMayThrow : Whole {
    using Whole::Whole;
    std::uint64_t free_bytes() const { return 0; }
};
struct LacksLargestFree : Whole {
    using Whole::Whole;
    std::uint64_t largest_free() const noexcept = delete;
};
struct AllocatesOffsets : Whole {
    using Whole::Whole;
    std::optional<std::uint64_t> allocate(std::uint64_t) { return 0; }
};
struct LacksCapacity {
    [[maybe_unused]] static constexpr std::uint64_t granularity = 64;
    std::optional<Allocation> allocate(std::uint64_t) { return Allocation(); }
    void free(const Allocation&, std::uint64_t) {}
    std::uint64_t free_bytes() const noexcept { return 0; }
    std::uint64_t largest_free() const noexcept { return 0; }
};

static_assert(SpaceAllocator<Whole>);
static_assert(!SpaceAllocator<LacksAllocate>);
static_assert(!SpaceAllocator<LacksFree>);
static_assert(!SpaceAllocator<FreeBytesMayThrow>);
static_assert(!SpaceAllocator<LacksLargestFree>);
static_assert(!SpaceAllocator<AllocatesOffsets>);
static_assert(!SpaceAllocator<LacksCapacity>);
static_assert(!SpaceAllocator<int>);
static_assert(!MeasuredSpace<Whole>);

using Class = store::detail::SizeClass;
static_assert(Class::of(~std::uint64_t{0}) < Class::count);
static_assert(Class::of(511) == 511 && Class::of(512) == 512 && Class::of(513) == 512 && Class::of(514) == 513);

} // namespace

TEST_CASE("allocator: the offset allocator conforms") { testing::allocator_conformance<OffsetAllocator>(); }
TEST_CASE("allocator: the archetype conforms") { testing::allocator_conformance<testing::MinimalAllocator>(); }

TEST_CASE("allocator: every size lies in a class that begins at or below it and ends above it") {
    const auto check = [](std::uint64_t granules) {
        const auto at = Class::of(granules);
        REQUIRE(Class::least(at) <= granules);
        REQUIRE(Class::least(at + 1) > granules);
        REQUIRE(Class::least(at + 1) - Class::least(at) == std::uint64_t{1} << Class::low_bits(granules));
    };
    for (std::uint64_t granules = 0; granules < 100'000; ++granules) check(granules);
    for (unsigned bit = 17; bit < 63; ++bit)
        for (const auto offset : {-1, 0, 1}) check((std::uint64_t{1} << bit) + static_cast<std::uint64_t>(offset));
}

TEST_CASE("allocator: a set of classes tells the next and the last as a sorted set does") {
    constexpr std::uint32_t limit = 20'000;
    auto random = std::mt19937_64(1);
    auto ours = store::detail::IndexSet(limit);
    auto model = std::set<std::uint32_t>();
    for (int step = 0; step < 50'000; ++step) {
        // Sometimes few, far apart, and then many: so that each level is crossed.
        const auto number = static_cast<std::uint32_t>(random() % limit);
        if (random() % 100 < (step / 5'000 % 2 == 0 ? 2 : 50)) {
            ours.insert(number);
            model.insert(number);
        } else if (!model.empty()) {
            const auto near = model.lower_bound(number);
            const auto gone = near == model.end() ? *model.begin() : *near;
            ours.erase(gone);
            model.erase(gone);
        }
        const auto from = static_cast<std::uint32_t>(random() % limit);
        const auto next = model.upper_bound(from);
        REQUIRE(ours.after(from) == (next == model.end() ? ours.none : *next));
        REQUIRE(ours.last() == (model.empty() ? ours.none : *model.rbegin()));
    }
}

TEST_CASE("allocator: a space of many terabytes is handed out to the last byte") {
    constexpr auto capacity = 64 * 1024 * GiB;
    auto allocator = OffsetAllocator(capacity);
    auto extents = 0;
    while (allocator.allocate(3 * 1024 * GiB)) ++extents;
    CHECK(extents == 21);
    CHECK(allocator.allocate(1024 * GiB).has_value());
    CHECK(allocator.free_bytes() == 0);
}

TEST_CASE("allocator: the largest capacity there is") {
    constexpr auto most = ~std::uint64_t{0};
    auto allocator = OffsetAllocator(most);
    CHECK(allocator.largest_free() == most - 63);
    CHECK_FALSE(allocator.allocate(most).has_value());
    const auto small = allocator.allocate(1), all_else = allocator.allocate(most - 127);
    REQUIRE((small && all_else));
    CHECK(all_else->offset == 64);
    CHECK(allocator.largest_free() == 0);
    allocator.free(*small, 1);
    allocator.free(*all_else, most - 127);
    CHECK(allocator.largest_free() == most - 63);
}

// Each granule of the space is owned by nobody or by one extent; what the allocator says of itself is counted from that.
TEST_CASE("allocator: statistics and places agree with a map of every granule") {
    constexpr std::uint64_t granule = OffsetAllocator::granularity, granules = 1'500;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        auto random = std::mt19937_64(seed);
        auto allocator = OffsetAllocator(granules * granule + granule / 2);
        auto owned = std::vector<bool>(granules);
        struct Live {
            Allocation allocation;
            std::uint64_t bytes;
        };
        auto live = std::vector<Live>();
        const auto mark = [&](const Live& one, bool owner) {
            const auto begin = one.allocation.offset / granule;
            for (auto at = begin; at < begin + std::max<std::uint64_t>(1, (one.bytes + granule - 1) / granule); ++at) {
                REQUIRE(owned.at(at) != owner);
                owned[at] = owner;
            }
        };
        const auto largest_size = 1 + random() % (seed % 2 == 0 ? 40 * granule : 600 * granule);
        for (int step = 0; step < 2'500; ++step) {
            if (live.empty() || random() % 100 < (step / 500 % 2 == 0 ? 65 : 35)) {
                const auto bytes = random() % largest_size;
                if (const auto allocation = allocator.allocate(bytes)) {
                    live.push_back({*allocation, bytes});
                    mark(live.back(), true);
                }
            } else {
                std::swap(live[random() % live.size()], live.back());
                mark(live.back(), false);
                allocator.free(live.back().allocation, live.back().bytes);
                live.pop_back();
            }
            auto runs = std::uint64_t{0}, run = std::uint64_t{0}, longest = std::uint64_t{0}, free = std::uint64_t{0};
            for (const auto is_owned : owned) {
                runs += !is_owned && run == 0 ? 1 : 0;
                run = is_owned ? 0 : run + 1;
                free += is_owned ? 0 : 1;
                longest = std::max(longest, run);
            }
            const auto statistics = allocator.statistics();
            REQUIRE(statistics.capacity == granules * granule);
            REQUIRE(statistics.free_bytes == free * granule);
            REQUIRE(statistics.largest_free == longest * granule);
            REQUIRE(statistics.free_extents == runs);
            REQUIRE(statistics.live_extents == live.size());
        }
        std::shuffle(live.begin(), live.end(), random);
        for (const auto& one : live) allocator.free(one.allocation, one.bytes);
        const auto statistics = allocator.statistics();
        CHECK(statistics.largest_free == granules * granule);
        CHECK(statistics.free_extents == 1);
        CHECK(statistics.live_extents == 0);
    }
}

TEST_CASE("allocator: use and fragmentation are shares, of an empty space as well") {
    constexpr std::uint64_t granule = OffsetAllocator::granularity;
    auto allocator = OffsetAllocator(8 * granule);
    CHECK(allocator.statistics().use() == 0);
    CHECK(allocator.statistics().fragmentation() == 0);
    auto all = std::vector<Allocation>();
    while (const auto allocation = allocator.allocate(granule)) all.push_back(*allocation);
    CHECK(allocator.statistics().use() == 1);
    CHECK(allocator.statistics().fragmentation() == 0);
    for (const auto index : {0, 1, 2, 4}) allocator.free(all[static_cast<std::size_t>(index)], granule);
    CHECK(allocator.statistics().use() == .5);
    CHECK(allocator.statistics().fragmentation() == .25);
    CHECK(OffsetAllocator(0).statistics().use() == 1);
    CHECK(OffsetAllocator(0).statistics().fragmentation() == 0);
}

TEST_CASE("allocator: an extent, free or live, costs 32 bytes outside of the space") {
    constexpr std::uint64_t extents = 100'000;
    auto allocator = OffsetAllocator(extents * 4 * KiB);
    const auto empty = allocator.statistics().metadata_bytes;
    CHECK(empty < 20 * KiB); // for the classes
    auto all = std::vector<Allocation>();
    while (const auto allocation = allocator.allocate(4 * KiB)) all.push_back(*allocation);
    REQUIRE(all.size() == extents);
    for (std::size_t i = 0; i < all.size(); i += 2) allocator.free(all[i], 4 * KiB);
    const auto statistics = allocator.statistics();
    CHECK(statistics.free_extents + statistics.live_extents == extents);
    CHECK(statistics.metadata_bytes - empty <= 32 * extents);
}

// Sizes of one class, which differ in their last bits in many ways: all the shapes that its trie can take.
TEST_CASE("allocator: the smallest that fits is taken, among very many of nearly the same size") {
    constexpr std::uint64_t granule = OffsetAllocator::granularity;
    for (const std::uint64_t around : {300, 5'000, 1 << 20, 1 << 28})
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            CAPTURE(around);
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            auto allocator = OffsetAllocator(std::uint64_t{1} << 47);
            auto holes = std::vector<std::pair<std::uint64_t, std::uint64_t>>(); // offset and bytes
            auto handles = std::map<std::uint64_t, Allocation>();
            const auto size = [&] { return (around + random() % (around / 200 + 2)) * granule; };
            for (int i = 0; i < 500; ++i) {
                const auto bytes = size();
                const auto hole = allocator.allocate(bytes), wall = allocator.allocate(1);
                REQUIRE((hole && wall));
                holes.emplace_back(hole->offset, bytes);
                handles.emplace(hole->offset, *hole);
            }
            REQUIRE(allocator.allocate(allocator.largest_free()).has_value()); // what is behind them
            auto free = std::multiset<std::uint64_t>();
            auto live = std::vector<std::size_t>(holes.size()); // of each the hole; a rest beside one is nobody's
            std::iota(live.begin(), live.end(), std::size_t{0});
            auto asked = std::vector<std::uint64_t>();
            for (const auto& hole : holes) asked.push_back(hole.second);
            for (int step = 0; step < 20'000; ++step) {
                if (!live.empty() && random() % 2 == 0) {
                    std::swap(live[random() % live.size()], live.back());
                    const auto [offset, bytes] = holes[live.back()];
                    allocator.free(handles.at(offset), asked[live.back()]);
                    if (asked[live.back()] != bytes) free.erase(free.find(bytes - asked[live.back()]));
                    free.insert(bytes);
                    live.pop_back();
                    continue;
                }
                const auto bytes = size();
                const auto expected = free.lower_bound(bytes);
                const auto allocation = allocator.allocate(bytes);
                REQUIRE(allocation.has_value() == (expected != free.end()));
                if (!allocation) continue;
                const auto hole =
                    std::lower_bound(holes.begin(), holes.end(), std::pair(allocation->offset, std::uint64_t{0}));
                REQUIRE(hole->first == allocation->offset);
                REQUIRE(hole->second == *expected);
                free.erase(expected);
                if (hole->second != bytes) free.insert(hole->second - bytes);
                handles[hole->first] = *allocation;
                live.push_back(static_cast<std::size_t>(hole - holes.begin()));
                asked[live.back()] = bytes;
                REQUIRE(allocator.largest_free() == (free.empty() ? 0 : *free.rbegin()));
            }
        }
}

// First the space is filled to a level, which ten times as many replacements of random extents as there are keep; then it is
// filled until the first request fails.
TEST_CASE("allocator: of sizes from 64 KiB to 1 MiB the first that fails finds 98 % in use") {
    constexpr std::uint64_t capacity = 8 * GiB;
    for (const auto level : {.5, .9, .95})
        for (const std::uint64_t seed : {1, 2, 3}) {
            CAPTURE(level);
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            auto allocator = OffsetAllocator(capacity);
            auto live = std::vector<std::pair<Allocation, std::uint64_t>>();
            const auto put = [&] {
                const auto bytes = 64 * KiB + random() % (MiB - 64 * KiB + 1);
                const auto allocation = allocator.allocate(bytes);
                if (allocation) live.emplace_back(*allocation, bytes);
                return allocation.has_value();
            };
            const auto fill = [&] {
                while (allocator.statistics().use() < level) REQUIRE(put());
            };
            fill();
            for (auto replacements = 10 * live.size(); replacements != 0; --replacements) {
                std::swap(live[random() % live.size()], live.back());
                allocator.free(live.back().first, live.back().second);
                live.pop_back();
                fill();
            }
            while (put()) {
            }
            CHECK(allocator.statistics().use() >= .98);
        }
}

TEST_CASE("allocator: what is no live extent cannot be freed") {
    constexpr std::uint64_t granule = OffsetAllocator::granularity;
    const auto free_wrongly = [](const auto& change) {
        auto allocator = OffsetAllocator(16 * granule);
        const auto first = allocator.allocate(granule), second = allocator.allocate(2 * granule);
        auto wrong = *second;
        change(allocator, wrong);
        const auto free_before = allocator.free_bytes();
        allocator.free(wrong, 2 * granule);
        if (allocator.free_bytes() != free_before) std::fputs("it was freed", stderr), std::abort();
        (void)first;
    };
    const auto words_of = [&](const auto& change) { return test::dying_words([&] { free_wrongly(change); }); };
    const auto words = {
        words_of([](OffsetAllocator& allocator, const Allocation& one) { allocator.free(one, 2 * granule); }),
        words_of([](OffsetAllocator&, Allocation& one) { one.offset += granule; }),
        words_of([](OffsetAllocator&, Allocation& one) { one.handle = 2; }), // that of what is free
        words_of([](OffsetAllocator&, Allocation& one) { one.handle = 1'000; }),
        words_of([](OffsetAllocator&, Allocation& one) { one.handle += std::uint64_t{1} << 32; }),
        words_of([](OffsetAllocator&, Allocation& one) { one.handle = ~std::uint64_t{0}; }),
    };
    for (const auto& said : words) {
#ifdef NDEBUG
        CHECK(said.empty()); // it is ignored
#else
        CHECK(said.find("not an extent that is allocated") != std::string::npos);
#endif
    }
}
