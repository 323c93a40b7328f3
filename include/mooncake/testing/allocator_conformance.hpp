#pragma once

#include <mooncake/store/allocator/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace mooncake::testing {

/// The least a `SpaceAllocator` has: first fit over a map of free extents. For instantiating templates.
class MinimalAllocator {
  public:
    static constexpr std::uint64_t granularity = 64;

    explicit MinimalAllocator(std::uint64_t capacity) {
        if (capacity >= granularity) extents_.emplace(0, capacity / granularity * granularity);
    }
    std::optional<Allocation> allocate(std::uint64_t bytes) {
        const auto size = rounded(bytes);
        const auto fits = [&](const auto& extent) { return extent.second >= size; };
        const auto found = std::find_if(extents_.begin(), extents_.end(), fits);
        if (size < bytes || found == extents_.end()) return std::nullopt;
        const auto [offset, length] = *found;
        extents_.erase(found);
        if (length != size) extents_.emplace(offset + size, length - size);
        return Allocation{.offset = offset};
    }
    void free(const Allocation& allocation, std::uint64_t bytes) {
        auto at = extents_.emplace(allocation.offset, rounded(bytes)).first;
        if (const auto next = std::next(at); next != extents_.end() && at->first + at->second == next->first) {
            at->second += next->second;
            extents_.erase(next);
        }
        if (at == extents_.begin()) return;
        if (const auto before = std::prev(at); before->first + before->second == at->first) {
            before->second += at->second;
            extents_.erase(at);
        }
    }
    std::uint64_t free_bytes() const noexcept {
        auto sum = std::uint64_t{0};
        for (const auto& extent : extents_) sum += extent.second;
        return sum;
    }
    std::uint64_t largest_free() const noexcept {
        auto largest = std::uint64_t{0};
        for (const auto& extent : extents_) largest = std::max(largest, extent.second);
        return largest;
    }

  private:
    static std::uint64_t rounded(std::uint64_t bytes) {
        return std::max(granularity, (bytes + granularity - 1) / granularity * granularity);
    }
    std::map<std::uint64_t, std::uint64_t> extents_;
};

static_assert(SpaceAllocator<MinimalAllocator>);

/// What every `SpaceAllocator` must do. Call it from a `TEST_CASE`; failures name the seed.
template <SpaceAllocator A>
void allocator_conformance() {
    constexpr std::uint64_t granule = A::granularity;

    SUBCASE("a capacity of n blocks holds exactly n blocks, in any order of freeing") {
        for (const std::uint64_t extent : {granule, 64 * granule, 65 * granule, 67 * granule, 1000 * granule}) {
            constexpr std::uint64_t count = 97;
            auto allocator = A(count * extent);
            auto random = std::mt19937_64(extent);
            for (int round = 0; round < 3; ++round) {
                auto allocations = std::vector<Allocation>();
                for (std::uint64_t i = 0; i < count; ++i) {
                    const auto allocation = allocator.allocate(extent);
                    REQUIRE(allocation.has_value());
                    allocations.push_back(*allocation);
                }
                CHECK(allocator.free_bytes() == 0);
                CHECK(allocator.largest_free() == 0);
                CHECK_FALSE(allocator.allocate(1).has_value());
                std::shuffle(allocations.begin(), allocations.end(), random);
                for (const auto& allocation : allocations) allocator.free(allocation, extent);
                CHECK(allocator.largest_free() == count * extent);
            }
        }
    }

    SUBCASE("a hole of exactly the size asked for is found when it is all that is left") {
        for (std::uint64_t granules = 1; granules < 300; ++granules) {
            auto allocator = A((granules + 2) * granule);
            const auto left = allocator.allocate(granule), hole = allocator.allocate(granules * granule);
            const auto right = allocator.allocate(granule);
            REQUIRE((left && hole && right));
            allocator.free(*hole, granules * granule);
            CHECK(allocator.largest_free() == granules * granule);
            CHECK_FALSE(allocator.allocate(granules * granule + 1).has_value());
            const auto again = allocator.allocate(granules * granule);
            REQUIRE(again.has_value());
            CHECK(again->offset == hole->offset);
        }
    }

    SUBCASE("what the largest hole holds is found behind a thousand holes that are a little too small") {
        // Sizes a little apart share whatever classes an allocator has, in any order of their becoming free.
        for (const std::uint64_t granules : {100, 1'000, 5'000, 100'000}) {
            constexpr std::uint64_t small_holes = 1'000;
            for (const std::uint64_t more : {1, 3}) {
                const auto small = granules * granule, large = (granules + more) * granule;
                auto allocator = A(small_holes * (small + granule) + large);
                auto holes = std::vector<Allocation>();
                const auto the_large = allocator.allocate(large);
                REQUIRE(the_large.has_value());
                for (std::uint64_t i = 0; i < small_holes; ++i) {
                    REQUIRE(allocator.allocate(granule).has_value()); // so that they stay apart
                    const auto hole = allocator.allocate(small);
                    REQUIRE(hole.has_value());
                    holes.push_back(*hole);
                }
                allocator.free(*the_large, large);
                for (const auto& hole : holes) allocator.free(hole, small);
                CHECK(allocator.largest_free() == large);
                CHECK_FALSE(allocator.allocate(large + 1).has_value());
                const auto found = allocator.allocate(large);
                REQUIRE(found.has_value());
                CHECK(found->offset == the_large->offset);
                CHECK(allocator.largest_free() == small);
            }
        }
    }

    SUBCASE("the largest can be had at any time, until nothing is left") {
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            // Of many sizes, or of many that differ by little.
            const auto least = seed % 2 == 0 ? std::uint64_t{20'000} : 1, most = least + 1 + random() % 700;
            const auto capacity = 1'000 * most * granule;
            auto allocator = A(capacity);
            auto live = std::vector<std::pair<Allocation, std::uint64_t>>();
            const auto size = [&] { return (least + random() % (most - least)) * granule; };
            while (const auto bytes = std::min(size(), allocator.largest_free())) {
                const auto allocation = allocator.allocate(bytes);
                REQUIRE(allocation.has_value());
                live.emplace_back(*allocation, bytes);
            }
            std::shuffle(live.begin(), live.end(), random);
            for (auto i = live.size() / 3; i != 0; --i, live.pop_back())
                allocator.free(live.back().first, live.back().second);
            auto last = ~std::uint64_t{0};
            while (const auto largest = allocator.largest_free()) {
                REQUIRE(largest <= last);
                last = largest;
                REQUIRE_FALSE(allocator.allocate(largest + 1).has_value());
                const auto allocation = allocator.allocate(largest);
                REQUIRE(allocation.has_value());
                live.emplace_back(*allocation, largest);
            }
            CHECK(allocator.free_bytes() == 0);
            for (const auto& [allocation, bytes] : live) allocator.free(allocation, bytes);
            CHECK(allocator.largest_free() == capacity);
        }
    }

    SUBCASE("sizes are rounded up, the space is rounded down, and absurd requests fail") {
        auto allocator = A(10 * granule + granule - 1);
        CHECK(allocator.free_bytes() == 10 * granule);
        CHECK_FALSE(allocator.allocate(~std::uint64_t{0}).has_value());
        CHECK_FALSE(allocator.allocate(~std::uint64_t{0} - granule + 2).has_value());
        CHECK_FALSE(allocator.allocate(10 * granule + 1).has_value());
        REQUIRE(allocator.allocate(0).has_value());
        REQUIRE(allocator.allocate(granule + 1).has_value());
        CHECK(allocator.free_bytes() == 7 * granule);
        for (const auto capacity : {std::uint64_t{0}, granule - 1}) {
            auto none = A(capacity);
            CHECK(none.free_bytes() == 0);
            CHECK(none.largest_free() == 0);
            for (const auto bytes : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
                CHECK_FALSE(none.allocate(bytes).has_value());
        }
        auto one = A(granule);
        CHECK(one.largest_free() == granule);
        const auto all = one.allocate(0);
        REQUIRE(all.has_value());
        CHECK(all->offset == 0);
        CHECK_FALSE(one.allocate(0).has_value());
        one.free(*all, 0);
        CHECK(one.largest_free() == granule);
    }

    SUBCASE("random use never overlaps, never loses a byte, and merges all that is free") {
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            CAPTURE(seed);
            auto random = std::mt19937_64(seed);
            const auto capacity = (1000 + random() % 9000) * granule;
            auto allocator = A(capacity);
            struct Live {
                Allocation allocation;
                std::uint64_t bytes; // asked for
            };
            auto live = std::map<std::uint64_t, Live>(); // by offset
            auto used = std::uint64_t{0};
            const auto rounded = [](std::uint64_t bytes) { return (bytes + granule - 1) / granule * granule; };
            for (int step = 0; step < 20'000; ++step) {
                if (live.empty() || random() % 5 < 3) {
                    const auto bytes = 1 + random() % (random() % 16 == 0 ? capacity / 4 : 60 * granule);
                    const auto largest = allocator.largest_free();
                    const auto allocation = allocator.allocate(bytes);
                    REQUIRE(allocation.has_value() == (rounded(bytes) <= largest));
                    if (!allocation) continue;
                    const auto offset = allocation->offset;
                    REQUIRE(offset % granule == 0);
                    REQUIRE(offset <= capacity);
                    REQUIRE(rounded(bytes) <= capacity - offset);
                    const auto after = live.upper_bound(offset);
                    if (after != live.end()) REQUIRE(offset + rounded(bytes) <= after->first);
                    if (after != live.begin()) {
                        const auto& before = *std::prev(after);
                        REQUIRE(before.first + rounded(before.second.bytes) <= offset);
                    }
                    live.emplace(offset, Live{*allocation, bytes});
                    used += rounded(bytes);
                } else {
                    auto victim = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
                    allocator.free(victim->second.allocation, victim->second.bytes);
                    used -= rounded(victim->second.bytes);
                    live.erase(victim);
                }
                REQUIRE(allocator.free_bytes() == capacity - used);
            }
            for (const auto& [offset, one] : live) allocator.free(one.allocation, one.bytes);
            CHECK(allocator.free_bytes() == capacity);
            CHECK(allocator.largest_free() == capacity);
        }
    }
}

} // namespace mooncake::testing
